//! ELF kernels: a build's vmlinux, or one unpacked from a bzImage.

use std::fs::File;
use std::path::Path;

use object::elf::{FileHeader32, FileHeader64, Machine, NoteType, PT_NOTE};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSection, ReadCache, ReadRef};

use super::super::config::{Config, find};
use super::super::{Arch, KernelError};
use super::foreign;

/// Type of the note in which a kernel names its PVH entry point, and the note's name
/// (the kernel's include/xen/interface/elfnote.h, `XEN_ELFNOTE_PHYS32_ENTRY`).
const XEN_ELFNOTE_PHYS32_ENTRY: NoteType = NoteType(18);
const XEN_NOTE_NAME: &[u8] = b"Xen";

/// The banner that every kernel holds (init/version.c) starts so.
const BANNER: &[u8] = b"Linux version ";

/// Longest release that is looked for, in bytes (`__NEW_UTS_LEN`).
const MAX_RELEASE: usize = 64;

/// What an ELF kernel says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElfImage {
    /// `e_machine`.
    pub machine: Machine,
    /// The kernel's release, from the banner inside it.
    pub release: String,
    /// Physical address of the 32-bit PVH entry point, when the kernel has one: then QEMU and other
    /// machine monitors can boot the file as it is.
    pub pvh_entry: Option<u64>,
    /// Whether the file has a symbol table.
    pub has_symbols: bool,
    /// The configuration embedded in it, if any.
    pub config: Option<Config>,
}

impl ElfImage {
    pub(super) fn matches(head: &[u8]) -> bool {
        head.starts_with(b"\x7fELF")
    }

    /// Reads the ELF kernel at `path`: only its headers, notes and read-only data.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or is an ELF file but no 64-bit kernel.
    pub fn read(path: &Path, file: File, wanted: Arch) -> Result<Self, KernelError> {
        let cache = ReadCache::new(file);
        foreign::refuse_other_elf(path, &cache, wanted)?;
        let elf = ElfFile64::<Endianness, _>::parse(&cache)
            .map_err(|e| KernelError::damaged(path, 0, e))?;
        let rodata = section(&elf, ".rodata").map_err(|e| KernelError::damaged(path, 0, e))?;
        // Programs have no .init.text, even those that hold the banner's text for some reason.
        let init = elf.section_by_name(".init.text");
        let release = init.and_then(|_| release_in(rodata)).ok_or_else(|| no_banner(path, &elf))?;
        Ok(Self {
            machine: elf.elf_header().e_machine(elf.endian()),
            release,
            pvh_entry: pvh_entry(&elf).map_err(|e| KernelError::damaged(path, 0, e))?,
            has_symbols: elf.section_by_name(".symtab").is_some(),
            config: Config::embedded(rodata),
        })
    }
}

type Elf<'a> = ElfFile64<'a, Endianness, &'a ReadCache<File>>;

fn section<'a>(elf: &Elf<'a>, name: &str) -> object::Result<&'a [u8]> {
    elf.section_by_name(name).map_or(Ok(&[]), |section| section.data())
}

fn no_banner(path: &Path, elf: &Elf<'_>) -> KernelError {
    KernelError::NotAKernel {
        path: path.into(),
        offset: 0,
        expected: "an ELF file with an .init.text section and the banner \"Linux version\"",
        found: format!("an ELF file of kind {:?}", elf.kind()),
    }
}

/// The release in the first banner in `bytes`. A banner's format string, "Linux version %s", is
/// passed over.
pub(super) fn release_in(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    while let Some(at) = find(rest, BANNER) {
        rest = &rest[at + BANNER.len()..];
        let word = rest.split(|b| *b == b' ').next().filter(|word| word.len() <= MAX_RELEASE);
        if let Some(word) = word.filter(|word| word.first().is_some_and(u8::is_ascii_digit)) {
            return String::from_utf8(word.into()).ok();
        }
    }
    None
}

fn pvh_entry(elf: &Elf<'_>) -> object::Result<Option<u64>> {
    let endian = elf.endian();
    let data = elf.data();
    for segment in elf.elf_program_headers().iter().filter(|s| s.p_type(endian) == PT_NOTE) {
        let Some(mut notes) = ProgramHeader::notes(segment, endian, data)? else { continue };
        while let Some(note) = notes.next()? {
            if note.name() == XEN_NOTE_NAME && note.n_type(endian) == XEN_ELFNOTE_PHYS32_ENTRY {
                return Ok(address(note.desc()));
            }
        }
    }
    Ok(None)
}

/// The note's content is an address of four or eight bytes.
fn address(desc: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes.get_mut(..desc.len())?.copy_from_slice(desc);
    Some(u64::from_le_bytes(bytes))
}

/// `e_machine` of the ELF file behind `data`, of either width.
pub(super) fn machine<'a>(data: impl ReadRef<'a>) -> object::Result<(bool, Machine)> {
    let header = FileHeader64::<Endianness>::parse(data);
    match header {
        Ok(header) => Ok((true, header.e_machine(header.endian()?))),
        Err(_) => {
            let header = FileHeader32::<Endianness>::parse(data)?;
            Ok((false, header.e_machine(header.endian()?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_the_banner_s_third_word() {
        let bytes = b"junk Linux version %s (x)\nLinux version 6.12.3-me (a@b) (gcc) #1";
        assert_eq!(release_in(bytes).as_deref(), Some("6.12.3-me"));
        assert_eq!(release_in(b"Linux version "), None);
        assert_eq!(release_in(b"Linux vers"), None);
    }

    #[test]
    fn pvh_addresses_of_four_and_eight_bytes_are_read() {
        assert_eq!(address(&0x0100_0000_u32.to_le_bytes()), Some(0x0100_0000));
        assert_eq!(address(&0x0100_0000_u64.to_le_bytes()), Some(0x0100_0000));
        assert_eq!(address(&[0; 9]), None);
    }
}
