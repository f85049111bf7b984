//! ELF notes of vmcores: registers and VMCOREINFO.
//!
//! Layouts: `struct elf_prstatus` and `user_regs_struct` of x86-64 (arch/x86/include/asm/user_64.h) and
//! aarch64 (asm/ptrace.h); QEMU's note from `struct QEMUCPUState` (target/i386/arch_dump.c).

use super::{Arch, Registers};
use crate::bytes::{u32_at, u64_at};

/// One ELF note.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Note<'a> {
    /// Name without its NUL.
    pub name: &'a [u8],
    /// Type, whose meaning depends on the name.
    pub kind: u32,
    /// Content.
    pub content: &'a [u8],
}

/// The notes of a PT_NOTE segment; a damaged one ends the list.
pub(crate) fn parse(bytes: &[u8]) -> impl Iterator<Item = Note<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (note, next) = note_at(bytes, at)?;
        at = next;
        Some(note)
    })
}

fn note_at(bytes: &[u8], at: usize) -> Option<(Note<'_>, usize)> {
    let length = |field: usize| crate::bytes::index(u64::from(field_at(bytes, at, field)));
    u32_at(bytes, at.checked_add(8)?)?;
    let name = at.checked_add(12)?;
    let content = name.checked_add(length(0))?.checked_next_multiple_of(4)?;
    let end = content.checked_add(length(1))?;
    let note = Note {
        name: bytes.get(name..name.checked_add(length(0))?)?,
        kind: field_at(bytes, at, 2),
        content: bytes.get(content..end)?,
    };
    let name = note.name.strip_suffix(b"\0").unwrap_or(note.name);
    Some((Note { name, ..note }, end.checked_next_multiple_of(4)?))
}

fn field_at(bytes: &[u8], at: usize, field: usize) -> u32 {
    u32_at(bytes, at + 4 * field).unwrap_or(0)
}

/// Appends a note in the form that [`parse`] reads.
pub(super) fn append(notes: &mut Vec<u8>, name: &str, kind: u32, content: &[u8]) {
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    notes.extend(length(name.len() + 1));
    notes.extend(length(content.len()));
    notes.extend(kind.to_le_bytes());
    notes.extend(name.as_bytes());
    notes.push(0);
    pad(notes);
    notes.extend(content);
    pad(notes);
}

fn pad(notes: &mut Vec<u8>) {
    notes.resize(notes.len().next_multiple_of(4), 0);
}

/// Type of the note with registers, `NT_PRSTATUS`.
pub(super) const NT_PRSTATUS: u32 = 1;
/// Offset of the registers in `struct elf_prstatus` of 64-bit architectures.
const PRSTATUS_REGISTERS: usize = 112;
/// Offset of `pr_pid`.
const PRSTATUS_PID: usize = 32;

/// Registers of `user_regs_struct`, in its order; `orig_rax` is not one of the CPU's.
const X86_ORDER: [&str; 27] = [
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi",
    "rdi", "orig_rax", "rip", "cs", "rflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs",
    "gs",
];

fn order(arch: Arch) -> Vec<String> {
    match arch {
        Arch::X86_64 => X86_ORDER.map(str::to_owned).to_vec(),
        Arch::Aarch64 => (0..31)
            .map(|number| format!("x{number}"))
            .chain(["sp", "pc", "pstate"].map(str::to_owned))
            .collect(),
    }
}

/// Size of `struct elf_prstatus`: 112 bytes, the registers, `pr_fpvalid` and padding.
fn prstatus_size(arch: Arch) -> usize {
    PRSTATUS_REGISTERS + 8 * order(arch).len() + 8
}

/// Registers in an `NT_PRSTATUS` note.
pub(super) fn prstatus_registers(arch: Arch, content: &[u8]) -> Option<Registers> {
    order(arch)
        .into_iter()
        .enumerate()
        .filter(|(_, name)| name != "orig_rax")
        .map(|(index, name)| Some((name, u64_at(content, PRSTATUS_REGISTERS + 8 * index)?)))
        .collect()
}

/// An `NT_PRSTATUS` note's content. Registers that are not known are zero.
pub(super) fn prstatus(arch: Arch, registers: &Registers, pid: u32) -> Vec<u8> {
    let mut content = vec![0; prstatus_size(arch)];
    content[PRSTATUS_PID..PRSTATUS_PID + 4].copy_from_slice(&pid.to_le_bytes());
    for (index, name) in order(arch).iter().enumerate() {
        let missing = if name == "orig_rax" { u64::MAX } else { 0 };
        let value = registers.get(name).unwrap_or(missing);
        let at = PRSTATUS_REGISTERS + 8 * index;
        content[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    content
}

/// Names of the 64-bit registers of `struct QEMUCPUState`, which follow its version and size.
const QEMU_GENERAL: [&str; 18] = [
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15", "rip", "rflags",
];
/// Its segments: selector, limit, flags, padding (32 bits each), then the base (64 bits).
const QEMU_SEGMENTS: [&str; 6] = ["cs", "ds", "es", "fs", "gs", "ss"];
const QEMU_SEGMENTS_AT: usize = 8 + 8 * QEMU_GENERAL.len();
const QEMU_SEGMENT_SIZE: usize = 24;
/// CR0 to CR4, after ten segments.
const QEMU_CONTROL_AT: usize = QEMU_SEGMENTS_AT + 10 * QEMU_SEGMENT_SIZE;

/// Bytes of `struct QEMUCPUState`, which ends with the base of GS that user mode has. Also its version.
const QEMU_SIZE: u32 = 440;
const QEMU_VERSION: u32 = 1;

/// A `QEMU` note's content. Registers that are not known are zero.
pub(super) fn qemu(registers: &Registers) -> Vec<u8> {
    let mut content = vec![0; QEMU_SIZE as usize];
    let mut put = |at: usize, bytes: &[u8]| content[at..at + bytes.len()].copy_from_slice(bytes);
    let value = |name: &str| registers.get(name).unwrap_or_default();
    put(0, &QEMU_VERSION.to_le_bytes());
    put(4, &QEMU_SIZE.to_le_bytes());
    for (index, name) in QEMU_GENERAL.iter().enumerate() {
        put(8 + 8 * index, &value(name).to_le_bytes());
    }
    for (index, name) in QEMU_SEGMENTS.iter().enumerate() {
        let at = QEMU_SEGMENTS_AT + QEMU_SEGMENT_SIZE * index;
        put(at, &value(name).to_le_bytes()[..4]);
        put(at + 16, &value(&format!("{name}_base")).to_le_bytes());
    }
    for number in [0, 2, 3, 4] {
        put(QEMU_CONTROL_AT + 8 * number, &value(&format!("cr{number}")).to_le_bytes());
    }
    content
}

/// Registers in QEMU's own note, which knows the control registers.
pub(super) fn qemu_registers(content: &[u8]) -> Option<Registers> {
    let mut registers = Registers::default();
    for (index, name) in QEMU_GENERAL.iter().enumerate() {
        registers.set(name, u64_at(content, 8 + 8 * index)?);
    }
    for (index, name) in QEMU_SEGMENTS.iter().enumerate() {
        let at = QEMU_SEGMENTS_AT + QEMU_SEGMENT_SIZE * index;
        registers.set(name, u64::from(u32_at(content, at)?));
        if matches!(*name, "fs" | "gs") {
            registers.set(&format!("{name}_base"), u64_at(content, at + 16)?);
        }
    }
    for number in [0, 2, 3, 4] {
        let value = u64_at(content, QEMU_CONTROL_AT + 8 * number)?;
        registers.set(&format!("cr{number}"), value);
    }
    Some(registers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_notes_are_read_back() {
        let mut bytes = Vec::new();
        append(&mut bytes, "CORE", 1, b"12345");
        append(&mut bytes, "VMCOREINFO", 0, b"OSRELEASE=6.1\n");
        let notes: Vec<_> = parse(&bytes).collect();
        assert_eq!(notes.len(), 2);
        assert_eq!(notes[0].name, b"CORE");
        assert_eq!(notes[0].content, b"12345");
        assert_eq!(notes[1].name, b"VMCOREINFO");
    }

    #[test]
    fn a_note_longer_than_its_segment_ends_the_list() {
        let mut bytes = Vec::new();
        append(&mut bytes, "CORE", 1, b"1234");
        bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(parse(&bytes).count(), 0);
    }

    #[test]
    fn registers_survive_a_note_of_qemu() {
        let names = ["rax", "rip", "rflags", "cs", "gs_base", "cr0", "cr2", "cr3", "cr4"];
        let registers: Registers = names.into_iter().zip(1..).collect();
        let content = qemu(&registers);
        assert_eq!(content.len(), 440);
        let back = qemu_registers(&content).unwrap();
        for (name, value) in registers.iter() {
            assert_eq!(back.get(name), Some(value), "{name}");
        }
    }

    #[test]
    fn registers_survive_a_prstatus_note_on_both_architectures() {
        for (arch, size, names) in
            [(Arch::X86_64, 336, ["rip", "rsp", "r15"]), (Arch::Aarch64, 392, ["pc", "sp", "x30"])]
        {
            let registers: Registers = names.into_iter().zip([7, 8, u64::MAX]).collect();
            let content = prstatus(arch, &registers, 3);
            assert_eq!(content.len(), size);
            let back = prstatus_registers(arch, &content).unwrap();
            for (name, value) in registers.iter() {
                assert_eq!(back.get(name), Some(value), "{name}");
            }
        }
    }
}
