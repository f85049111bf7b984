//! Gives the sections of a module addresses of their own.
//!
//! A module is a relocatable file (ELF-64, little-endian, as on x86-64 and arm64): all its sections begin at address 0, so
//! that an address alone does not tell `.text` from `.init.text`. With each symbol moved by a base of its section, the
//! relocations of the debugging information, which are made from symbols, give addresses that are told apart.

use object::LittleEndian;
use object::elf::{ET_REL, FileHeader64, SHF_ALLOC, SHT_SYMTAB};
use object::read::elf::{FileHeader, SectionHeader};

/// Between two sections.
const GAP: u64 = 0x1000;
/// `sizeof(Elf64_Sym)`, and the offsets in it of `st_shndx` and `st_value` (gABI, chapter 4).
const SYMBOL: usize = 24;
const SECTION_INDEX: usize = 6;
const VALUE: usize = 8;

type Header = FileHeader64<LittleEndian>;

/// Moves the symbols of the module `bytes`.
///
/// # Errors
/// In words, when it is no module.
pub(super) fn prelink(bytes: &mut [u8]) -> Result<(), String> {
    let (bases, symbols) = layout(bytes).map_err(|error| error.to_string())?;
    let Some(table) = bytes.get_mut(symbols) else {
        return Err("its symbol table lies outside the file".to_owned());
    };
    for symbol in table.chunks_exact_mut(SYMBOL) {
        let section = u16::from_le_bytes([symbol[SECTION_INDEX], symbol[SECTION_INDEX + 1]]);
        let base = bases.get(usize::from(section)).copied().unwrap_or(0);
        if let Some(value) = symbol[VALUE..].first_chunk_mut::<8>() {
            *value = u64::from_le_bytes(*value).wrapping_add(base).to_le_bytes();
        }
    }
    Ok(())
}

/// The base of each section, 0 for what is not loaded, and where the symbol table lies.
fn layout(bytes: &[u8]) -> object::Result<(Vec<u64>, std::ops::Range<usize>)> {
    let header = Header::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let (mut next, mut bases) = (GAP, Vec::new());
    for section in sections.iter() {
        let loaded = section.sh_flags(endian) & u64::from(SHF_ALLOC) != 0;
        bases.push(if loaded && header.e_type(endian) == ET_REL { next } else { 0 });
        if loaded {
            let align = section.sh_addralign(endian).clamp(1, GAP);
            next = next.saturating_add(section.sh_size(endian)).saturating_add(GAP) / align * align;
        }
    }
    let table = sections.iter().find(|section| section.sh_type(endian) == SHT_SYMTAB);
    let range = table.and_then(|table| table.file_range(endian)).unwrap_or_default();
    let start = usize::try_from(range.0).unwrap_or(usize::MAX);
    let end = start.saturating_add(usize::try_from(range.1).unwrap_or(usize::MAX));
    Ok((bases, start..end))
}
