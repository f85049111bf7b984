//! Writes an ELF vmcore that drgn and crash open.
//!
//! What the two need beyond a plain ELF core was found by leaving things out: the `VMCOREINFO` note; a
//! first PT_LOAD with `p_align` 0 (crash takes anything else for an old netdump file and ignores
//! KASLR); `p_vaddr` in the direct map (drgn otherwise reads low user addresses as physical ones).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::elf::{ET_CORE, HEADER_SIZE, MAGIC, PROGRAM_HEADER_SIZE, PT_LOAD, PT_NOTE};
use super::notes::{NT_PRSTATUS, append, prstatus, qemu};
use super::sparse::{CopyError, PAGE, copy_range};
use super::{Arch, Dump, DumpError};

const PF_RWX: u32 = 7;

/// What goes into a vmcore beside memory and registers.
#[derive(Debug, Clone)]
pub struct VmcoreNotes {
    /// The text of VMCOREINFO.
    pub vmcoreinfo: String,
    /// Virtual address of physical 0 in the direct map (`page_offset_base`).
    pub page_offset: u64,
}

/// Writes `dump` to `path` as a sparse ELF vmcore. Gives the number of bytes of data written.
///
/// # Errors
/// When memory cannot be read or the file not written; a partial file is removed.
pub fn write_vmcore(dump: &Dump, notes: &VmcoreNotes, path: &Path) -> Result<u64, DumpError> {
    let failed = |source| DumpError::Io { action: "write", path: path.into(), source };
    let file = File::create(path).map_err(failed)?;
    write_to(&file, dump, notes).map_err(|error| {
        // The partial file would look like a vmcore; the error of the removal adds nothing.
        let _ = std::fs::remove_file(path);
        error.at(path)
    })
}

fn write_to(file: &File, dump: &Dump, notes: &VmcoreNotes) -> Result<u64, CopyError> {
    let ranges = dump.memory.ranges();
    let note_bytes = all_notes(dump, notes);
    let notes_at = HEADER_SIZE + PROGRAM_HEADER_SIZE * (ranges.len() + 1);
    let mut head = elf_header(dump, ranges.len() + 1);
    let length = note_bytes.len() as u64;
    program_header(&mut head, PT_NOTE, notes_at as u64, [0, 0], length);
    let mut data_at = ((notes_at as u64) + length).next_multiple_of(PAGE);
    let mut written = 0;
    for range in ranges {
        let length = range.end - range.start;
        let addresses = [notes.page_offset.wrapping_add(range.start), range.start];
        program_header(&mut head, PT_LOAD, data_at, addresses, length);
        written += copy_range(file, &*dump.memory, range, data_at)?;
        data_at += length;
    }
    head.extend(note_bytes);
    file.write_all_at(&head, 0)?;
    file.set_len(data_at)?;
    Ok(written)
}

/// One `NT_PRSTATUS` a vCPU, in their order, then VMCOREINFO. Readers take the n-th for CPU n, so a vCPU
/// that never started has one, too. crash believes those registers of all CPUs only where there are `QEMU` notes;
/// otherwise it does so of the one that panicked, and guesses where the others are.
pub(super) fn all_notes(dump: &Dump, notes: &VmcoreNotes) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (registers, pid) in dump.cpus.iter().zip(1..) {
        let content = prstatus(dump.arch, registers, pid);
        append(&mut bytes, "CORE", NT_PRSTATUS, &content);
    }
    if dump.arch == Arch::X86_64 {
        for registers in &dump.cpus {
            append(&mut bytes, "QEMU", 0, &qemu(registers));
        }
    }
    append(&mut bytes, "VMCOREINFO", 0, notes.vmcoreinfo.as_bytes());
    bytes
}

fn elf_header(dump: &Dump, program_headers: usize) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_SIZE);
    header.extend(MAGIC);
    header.extend([2, 1, 1]);
    header.resize(16, 0);
    header.extend(ET_CORE.to_le_bytes());
    header.extend(dump.arch.to_elf().to_le_bytes());
    header.extend(1_u32.to_le_bytes());
    for value in [0, HEADER_SIZE as u64, 0] {
        header.extend(value.to_le_bytes());
    }
    header.extend(0_u32.to_le_bytes());
    let count = u16::try_from(program_headers).unwrap_or(u16::MAX);
    for value in [64, 56, count, 0, 0, 0] {
        header.extend(u16::to_le_bytes(value));
    }
    header
}

fn program_header(head: &mut Vec<u8>, kind: u32, offset: u64, addresses: [u64; 2], length: u64) {
    let flags = if kind == PT_LOAD { PF_RWX } else { 0 };
    head.extend(kind.to_le_bytes());
    head.extend(flags.to_le_bytes());
    let align = 0;
    for value in [offset, addresses[0], addresses[1], length, length, align] {
        head.extend(u64::to_le_bytes(value));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dump::{Arch, open};
    use crate::memory::{MemoryImage, x86_segments};

    fn dump() -> Dump {
        let mut bytes = vec![0; 0x8000];
        bytes[0x2000..0x2004].copy_from_slice(b"here");
        bytes[0x7fff] = 9;
        let memory = MemoryImage::new(bytes, x86_segments(0x8000, 0x4000)).unwrap();
        Dump {
            arch: Arch::X86_64,
            memory: Arc::new(memory),
            cpus: vec![[("rip", 0x1234), ("cr3", 0x5000)].into_iter().collect()],
            vmcoreinfo: None,
            reason: None,
        }
    }

    #[test]
    fn an_exported_vmcore_is_read_back_with_memory_registers_and_notes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vmcore");
        let notes = VmcoreNotes {
            vmcoreinfo: "OSRELEASE=6.1\n".into(),
            page_offset: 0xffff_8880_0000_0000,
        };
        let written = write_vmcore(&dump(), &notes, &path).unwrap();
        assert_eq!(written, 2 * PAGE, "only pages with content");
        let back = open(&path).unwrap();
        assert_eq!(back.memory.ranges(), dump().memory.ranges());
        assert_eq!(back.cpus[0].get("rip"), Some(0x1234));
        assert_eq!(back.vmcoreinfo.unwrap().release(), Some("6.1"));
        let mut four = [0; 4];
        back.memory.read(0x2000, &mut four).unwrap();
        assert_eq!(&four, b"here");
        back.memory.read((1 << 32) + 0x3ffc, &mut four).unwrap();
        assert_eq!(four, [0, 0, 0, 9]);
    }
}
