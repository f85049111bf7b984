//! Files that are no kernel, or none that we boot: what they are instead.

use std::path::Path;

use object::elf;
use object::read::ReadRef;

use super::super::compression::Compression;
use super::super::{Arch, KernelError};
use super::elf::machine;

/// Refuses ELF files for machines that are none of ours, and 32-bit ones.
pub(super) fn refuse_other_elf<'a>(
    path: &Path,
    data: impl ReadRef<'a>,
    wanted: Arch,
) -> Result<(), KernelError> {
    let (wide, machine) = machine(data).map_err(|e| KernelError::damaged(path, 0, e))?;
    if wide && Arch::from_elf_machine(machine).is_some() {
        return Ok(());
    }
    Err(KernelError::WrongArch { path: path.into(), found: machine_name(wide, machine), wanted })
}

fn machine_name(wide: bool, machine: elf::Machine) -> String {
    match machine {
        elf::EM_386 => "32-bit x86".into(),
        elf::EM_X86_64 => "32-bit x86 (x32)".into(),
        elf::EM_ARM => "32-bit Arm".into(),
        elf::EM_RISCV if wide => "64-bit RISC-V".into(),
        elf::EM_PPC64 => "64-bit PowerPC".into(),
        elf::EM_S390 => "s390".into(),
        elf::EM_LOONGARCH => "LoongArch".into(),
        other => format!("ELF machine {}", other.0),
    }
}

/// The error for a file that starts with `head` and matches no kernel format.
pub(super) fn not_a_kernel(path: &Path, head: &[u8], wanted: Arch) -> KernelError {
    if let Some(found) = other_arch(head) {
        return KernelError::WrongArch { path: path.into(), found: found.into(), wanted };
    }
    let (offset, expected, found) = describe(head);
    KernelError::NotAKernel { path: path.into(), offset, expected, found }
}

/// Kernels of architectures that keep a magic number in their own place.
fn other_arch(head: &[u8]) -> Option<&'static str> {
    // Documentation/arch/riscv/boot-image-header.rst: `magic2` at 56.
    (head.get(56..60) == Some(b"RSC\x05")).then_some("64-bit RISC-V")
}

fn describe(head: &[u8]) -> (u64, &'static str, String) {
    const START: &str = "the start of a kernel image";
    if head.is_empty() {
        return (0, START, "an empty file".into());
    }
    if let Some(what) = known_content(head) {
        return (0, START, what);
    }
    match head.get(0x202..0x206) {
        Some(bytes) => (0x202, "\"HdrS\"", format!("the bytes {bytes:02x?}")),
        None => (0, START, format!("only {} bytes", head.len())),
    }
}

fn known_content(head: &[u8]) -> Option<String> {
    let what = match head {
        [b'#', b'!', ..] => "a script",
        [b'0', b'7', b'0', b'7', b'0', ..] => "a cpio archive (an initramfs?)",
        [b'!', b'<', b'a', b'r', b'c', b'h', b'>', ..] => "an ar archive or Debian package",
        [b'M', b'Z', _, _, b'z', b'i', b'm', b'g', ..] => {
            "an EFI zboot image; give the Image inside it"
        }
        _ if Compression::detect(head).is_some() => {
            "compressed data (an initramfs, or an Image.gz to decompress?)"
        }
        _ if is_text(head) => "text",
        _ => return None,
    };
    Some(what.into())
}

fn is_text(bytes: &[u8]) -> bool {
    let printable = |c: char| !c.is_control() || c.is_ascii_whitespace();
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(printable))
}
