//! `vmlinux`: an ELF executable for x86-64 that states its physical addresses.
//!
//! Sources: System V ABI, chapters 4 and 5 (ELF header, program headers, notes); Xen
//! `docs/misc/pvh.pandoc` and `public/elfnote.h` (the PVH entry point).

use std::io;

use super::image::ImageFile;

const MAGIC: [u8; 4] = *b"\x7fELF";
const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
const TYPE_EXECUTABLE: u16 = 2;
const MACHINE_X86_64: u16 = 62;
const HEADER_SIZE: usize = 64;
const PROGRAM_HEADER_SIZE: usize = 56;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;

/// Program headers that are read; kernels have about five.
const MOST_PROGRAM_HEADERS: u16 = 64;
/// Bytes of notes that are read; kernels have a few hundred.
const MOST_NOTE_BYTES: u64 = 1 << 20;

const PVH_NOTE_NAME: &[u8] = b"Xen\0";
const PVH_NOTE_TYPE: u32 = 18;

/// `NT_GNU_BUILD_ID` (`linux/elf.h`).
const BUILD_ID_NOTE_NAME: &[u8] = b"GNU\0";
const BUILD_ID_NOTE_TYPE: u32 = 3;

/// What is wrong with an ELF file.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    /// The file ends before something that its headers promise.
    #[error("{what} at offset {offset:#x} cannot be read: {source}; is the file complete?")]
    Read {
        /// What was to be read.
        what: &'static str,
        /// Where.
        offset: u64,
        /// The host's words.
        source: io::Error,
    },
    /// A field of the ELF header holds a value that no x86-64 kernel has.
    #[error("ELF header: {field} is {value}, not {wanted}")]
    Header {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// What it must be.
        wanted: &'static str,
    },
    /// There is nothing to load.
    #[error("no PT_LOAD segment: there is nothing to load")]
    NothingToLoad,
    /// A segment contradicts itself or the file.
    #[error(
        "segment {index}: {problem} (offset {offset:#x}, file size {file_size:#x}, memory size {memory_size:#x})"
    )]
    Segment {
        /// Index of its program header.
        index: usize,
        /// What is wrong.
        problem: &'static str,
        /// `p_offset`.
        offset: u64,
        /// `p_filesz`.
        file_size: u64,
        /// `p_memsz`.
        memory_size: u64,
    },
    /// Two segments lie on one another.
    #[error("segments overlap at physical address {0:#x}")]
    Overlap(u64),
    /// The entry point lies in no segment.
    #[error("{what} entry point {address:#x} is in no segment")]
    Entry {
        /// Which entry point.
        what: &'static str,
        /// Where it points.
        address: u64,
    },
    /// A note is longer than what holds it.
    #[error("the note at offset {0:#x} is longer than its segment")]
    Note(u64),
}

/// A piece of the kernel to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Where its bytes are in the file.
    pub(crate) offset: u64,
    /// How many bytes of it are in the file; zeroes follow.
    pub(crate) file_size: u64,
    /// Physical address.
    pub(crate) address: u64,
    /// How many bytes it takes in memory.
    pub(crate) memory_size: u64,
}

impl Segment {
    fn end(&self) -> u64 {
        self.address + self.memory_size
    }

    fn holds(&self, address: u64) -> bool {
        (self.address..self.end()).contains(&address)
    }
}

/// A sound `vmlinux`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ElfKernel {
    /// Physical address of the 64-bit entry point.
    pub(crate) entry: u64,
    /// Physical address of the 32-bit PVH entry point, where the kernel has one.
    pub(crate) pvh_entry: Option<u64>,
    /// What to load, none of it empty, in the order of the file.
    pub(crate) segments: Vec<Segment>,
}

impl ElfKernel {
    /// Is this an ELF file at all?
    pub(crate) fn recognises(image: &ImageFile) -> bool {
        image.bytes(0).is_ok_and(|magic: [u8; 4]| magic == MAGIC)
    }

    /// Reads and checks the headers.
    pub(crate) fn parse(image: &ImageFile) -> Result<Self, ElfError> {
        let header = Header::read(image)?;
        let mut segments = Vec::new();
        let mut pvh_entry = None;
        for index in 0..header.program_headers {
            let program = ProgramHeader::read(image, &header, index)?;
            match program.kind {
                PT_LOAD => segments.extend(program.segment(image, index.into())?),
                // Any of several may hold it, so the first that does counts, not the last.
                PT_NOTE if pvh_entry.is_none() => pvh_entry = find_pvh_entry(image, &program)?,
                _ => {}
            }
        }
        let kernel = Self { entry: header.entry, pvh_entry, segments };
        kernel.check()?;
        Ok(kernel)
    }

    /// The identity that the linker gave this build.
    pub(crate) fn build_id(image: &ImageFile) -> Result<Option<Vec<u8>>, ElfError> {
        let header = Header::read(image)?;
        for index in 0..header.program_headers {
            let program = ProgramHeader::read(image, &header, index)?;
            if program.kind == PT_NOTE {
                let found = find_note(image, &program, BUILD_ID_NOTE_NAME, BUILD_ID_NOTE_TYPE)?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    fn check(&self) -> Result<(), ElfError> {
        if self.segments.is_empty() {
            return Err(ElfError::NothingToLoad);
        }
        let mut sorted = self.segments.clone();
        sorted.sort_by_key(|segment| segment.address);
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0].end() > pair[1].address) {
            return Err(ElfError::Overlap(pair[1].address));
        }
        self.check_entry("the 64-bit", self.entry)?;
        self.pvh_entry.map_or(Ok(()), |entry| self.check_entry("the PVH", entry))
    }

    fn check_entry(&self, what: &'static str, address: u64) -> Result<(), ElfError> {
        match self.segments.iter().any(|segment| segment.holds(address)) {
            true => Ok(()),
            false => Err(ElfError::Entry { what, address }),
        }
    }
}

struct Header {
    entry: u64,
    program_header_offset: u64,
    program_headers: u16,
}

impl Header {
    fn read(image: &ImageFile) -> Result<Self, ElfError> {
        let bytes: [u8; HEADER_SIZE] = read(image, "the ELF header", 0)?;
        expect("EI_CLASS", bytes[4].into(), CLASS_64.into(), "2 (64-bit)")?;
        expect("EI_DATA", bytes[5].into(), LITTLE_ENDIAN.into(), "1 (little-endian)")?;
        expect("e_type", u16_at(&bytes, 16).into(), TYPE_EXECUTABLE.into(), "2 (executable)")?;
        expect("e_machine", u16_at(&bytes, 18).into(), MACHINE_X86_64.into(), "62 (x86-64)")?;
        let entry_size = PROGRAM_HEADER_SIZE as u64;
        expect("e_phentsize", u16_at(&bytes, 54).into(), entry_size, "56")?;
        let program_headers = u16_at(&bytes, 56);
        if program_headers > MOST_PROGRAM_HEADERS {
            let value = program_headers.into();
            return Err(ElfError::Header { field: "e_phnum", value, wanted: "at most 64" });
        }
        Ok(Self {
            entry: u64_at(&bytes, 24),
            program_header_offset: u64_at(&bytes, 32),
            program_headers,
        })
    }
}

fn expect(
    field: &'static str,
    value: u64,
    expected: u64,
    wanted: &'static str,
) -> Result<(), ElfError> {
    match value == expected {
        true => Ok(()),
        false => Err(ElfError::Header { field, value, wanted }),
    }
}

struct ProgramHeader {
    kind: u32,
    offset: u64,
    address: u64,
    file_size: u64,
    memory_size: u64,
}

impl ProgramHeader {
    fn read(image: &ImageFile, header: &Header, index: u16) -> Result<Self, ElfError> {
        let offset = header
            .program_header_offset
            .saturating_add(u64::from(index) * PROGRAM_HEADER_SIZE as u64);
        let bytes: [u8; PROGRAM_HEADER_SIZE] = read(image, "a program header", offset)?;
        Ok(Self {
            kind: u32_at(&bytes, 0),
            offset: u64_at(&bytes, 8),
            address: u64_at(&bytes, 24),
            file_size: u64_at(&bytes, 32),
            memory_size: u64_at(&bytes, 40),
        })
    }

    /// What there is to load, if anything.
    fn segment(&self, image: &ImageFile, index: usize) -> Result<Option<Segment>, ElfError> {
        let file_end = self.offset.checked_add(self.file_size);
        let problem = if self.file_size > self.memory_size {
            "its file size exceeds its memory size"
        } else if self.address.checked_add(self.memory_size).is_none() {
            "its memory wraps around the end of the address space"
        } else if file_end.is_none_or(|end| end > image.size()) {
            "it reaches beyond the end of the file"
        } else {
            let &Self { offset, file_size, address, memory_size, .. } = self;
            let segment = Segment { offset, file_size, address, memory_size };
            return Ok(Some(segment).filter(|segment| segment.memory_size > 0));
        };
        let &Self { offset, file_size, memory_size, .. } = self;
        Err(ElfError::Segment { index, problem, offset, file_size, memory_size })
    }
}

/// The PVH entry point, if it is among the notes of `program`.
fn find_pvh_entry(image: &ImageFile, program: &ProgramHeader) -> Result<Option<u64>, ElfError> {
    let note = find_note(image, program, PVH_NOTE_NAME, PVH_NOTE_TYPE)?;
    Ok(note.filter(|entry| entry.len() >= 4).map(|entry| u32_at(&entry, 0).into()))
}

/// The description of the first note with this name and type among those of `program`.
fn find_note(
    image: &ImageFile,
    program: &ProgramHeader,
    name: &[u8],
    kind: u32,
) -> Result<Option<Vec<u8>>, ElfError> {
    let size = program.file_size.min(MOST_NOTE_BYTES);
    let mut notes = vec![0; usize::try_from(size).unwrap_or(0)];
    read_into(image, "the notes", program.offset, &mut notes)?;
    let mut at = 0;
    while let Some(header) = notes.get(at..at + 12) {
        let name_at = at + 12;
        let description_at = name_at + padded(u32_at(header, 0));
        let next = description_at + padded(u32_at(header, 4));
        if next > notes.len() {
            return Err(ElfError::Note(program.offset + at as u64));
        }
        if u32_at(header, 8) == kind && notes[name_at..description_at].starts_with(name) {
            let end = description_at + u32_at(header, 4) as usize;
            return Ok(Some(notes[description_at..end].to_vec()));
        }
        at = next;
    }
    Ok(None)
}

/// Names and descriptions of notes fill words of four bytes.
fn padded(size: u32) -> usize {
    (size as usize).next_multiple_of(4)
}

fn read<const N: usize>(
    image: &ImageFile,
    what: &'static str,
    offset: u64,
) -> Result<[u8; N], ElfError> {
    image.bytes(offset).map_err(|source| ElfError::Read { what, offset, source })
}

fn read_into(
    image: &ImageFile,
    what: &'static str,
    offset: u64,
    buffer: &mut [u8],
) -> Result<(), ElfError> {
    image.read(offset, buffer).map_err(|source| ElfError::Read { what, offset, source })
}

// The offsets below are constants within arrays whose sizes are checked where they are read.

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::kvm::boot::test_images::{Part, elf_of as elf};

    const CODE: u64 = 0x100_0000;

    fn load(address: u64, content: &[u8], memory_size: u64) -> Part {
        (PT_LOAD, address, content.to_vec(), memory_size)
    }

    fn note(name: &[u8], kind: u32, description: &[u8]) -> Part {
        let mut content = Vec::new();
        for word in [name.len(), description.len()] {
            content.extend(u32::try_from(word).unwrap().to_le_bytes());
        }
        content.extend(kind.to_le_bytes());
        for part in [name, description] {
            content.extend(part);
            content.resize(content.len().next_multiple_of(4), 0);
        }
        (PT_NOTE, 0, content.clone(), content.len() as u64)
    }

    fn pvh_note(entry: u32) -> Part {
        note(PVH_NOTE_NAME, PVH_NOTE_TYPE, &entry.to_le_bytes())
    }

    fn file(bytes: &[u8]) -> ImageFile {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        ImageFile::new(file).unwrap()
    }

    fn parse(bytes: &[u8]) -> Result<ElfKernel, ElfError> {
        ElfKernel::parse(&file(bytes))
    }

    fn problem(bytes: &[u8]) -> String {
        parse(bytes).unwrap_err().to_string()
    }

    fn sound() -> Vec<u8> {
        elf(CODE, &[load(CODE, b"code", 0x1000), pvh_note(0x100_0010)])
    }

    fn with(mut bytes: Vec<u8>, at: usize, patch: &[u8]) -> Vec<u8> {
        bytes[at..at + patch.len()].copy_from_slice(patch);
        bytes
    }

    #[test]
    fn a_sound_kernel_is_read_with_both_entry_points() {
        let kernel = parse(&sound()).unwrap();
        assert_eq!(kernel.entry, CODE);
        assert_eq!(kernel.pvh_entry, Some(0x100_0010));
        assert_eq!(kernel.segments.len(), 1);
        assert_eq!(kernel.segments[0].file_size, 4);
        assert_eq!(kernel.segments[0].memory_size, 0x1000);
    }

    #[test]
    fn another_machine_or_class_or_type_is_refused() {
        assert!(problem(&with(sound(), 18, &[183, 0])).contains("e_machine is 183"));
        assert!(problem(&with(sound(), 4, &[1])).contains("EI_CLASS is 1"));
        assert!(problem(&with(sound(), 5, &[2])).contains("EI_DATA is 2"));
        assert!(problem(&with(sound(), 16, &[1, 0])).contains("e_type is 1"));
        assert!(problem(&with(sound(), 54, &[55, 0])).contains("e_phentsize"));
        assert!(problem(&with(sound(), 56, &[0xff, 0xff])).contains("e_phnum"));
    }

    #[test]
    fn more_bytes_in_the_file_than_in_memory_are_refused() {
        let bytes = elf(CODE, &[load(CODE, b"code", 3)]);
        assert!(problem(&bytes).contains("exceeds its memory size"));
    }

    #[test]
    fn a_segment_that_wraps_around_is_refused() {
        let bytes = elf(CODE, &[load(u64::MAX - 1, b"code", 4)]);
        assert!(problem(&bytes).contains("wraps around"));
    }

    #[test]
    fn overlapping_segments_are_refused_in_either_order() {
        let (low, high) = (load(CODE, b"code", 0x1001), load(CODE + 0x1000, b"data", 4));
        assert!(problem(&elf(CODE, &[low.clone(), high.clone()])).contains("overlap"));
        assert!(problem(&elf(CODE, &[high, low])).contains("overlap"));
    }

    #[test]
    fn an_entry_point_outside_of_every_segment_is_refused() {
        let bytes = elf(CODE + 0x1000, &[load(CODE, b"code", 0x1000)]);
        assert!(problem(&bytes).contains("the 64-bit entry point 0x1001000"));
        let bytes = elf(CODE, &[load(CODE, b"code", 0x1000), pvh_note(0x10)]);
        assert!(problem(&bytes).contains("the PVH entry point 0x10"));
    }

    #[test]
    fn a_file_without_anything_to_load_is_refused() {
        assert!(problem(&elf(CODE, &[])).contains("nothing to load"));
        assert!(problem(&elf(CODE, &[pvh_note(0x10)])).contains("nothing to load"));
        assert!(problem(&elf(CODE, &[load(CODE, b"", 0)])).contains("nothing to load"));
    }

    #[test]
    fn the_pvh_entry_is_found_whatever_notes_surround_it() {
        let other = || note(b"Linux\0", 0x100, b"x");
        let code = || load(CODE, b"code", 0x1000);
        for parts in [
            vec![code(), pvh_note(0x100_0010), other()],
            vec![code(), other(), pvh_note(0x100_0010)],
        ] {
            assert_eq!(parse(&elf(CODE, &parts)).unwrap().pvh_entry, Some(0x100_0010));
        }
        assert_eq!(parse(&elf(CODE, &[code(), other()])).unwrap().pvh_entry, None);
    }

    #[test]
    fn notes_with_absurd_sizes_are_refused() {
        for word in 0..2 {
            let (kind, address, mut content, size) = pvh_note(0x100_0010);
            content[word * 4..word * 4 + 4].copy_from_slice(&[0xff; 4]);
            let bytes = elf(CODE, &[load(CODE, b"code", 4), (kind, address, content, size)]);
            assert!(problem(&bytes).contains("longer than its segment"));
        }
    }

    #[test]
    fn a_kernel_cut_off_anywhere_is_refused() {
        let bytes = elf(CODE, &[pvh_note(0x100_0010), load(CODE, b"code", 0x1000)]);
        for length in 0..bytes.len() {
            assert!(parse(&bytes[..length]).is_err(), "cut off at {length}");
        }
    }

    proptest! {
        #[test]
        fn no_byte_of_the_headers_makes_the_parser_panic(at in 0usize..64 + 2 * 56, value: u64) {
            let mut bytes = sound();
            let end = (at + 8).min(bytes.len());
            bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
            if let Ok(kernel) = parse(&bytes) {
                prop_assert!(!kernel.segments.is_empty());
            }
        }

        #[test]
        fn no_garbage_behind_the_magic_makes_the_parser_panic(garbage: Vec<u8>) {
            let _ = parse(&[&MAGIC[..], &garbage].concat());
        }
    }

    #[test]
    fn the_build_id_is_that_of_the_linkers_note() {
        let id = || note(BUILD_ID_NOTE_NAME, BUILD_ID_NOTE_TYPE, &[0xab, 0xcd, 1]);
        let with = elf(CODE, &[load(CODE, b"code", 0x1000), pvh_note(0x100_0010), id()]);
        let without = elf(CODE, &[load(CODE, b"code", 0x1000), pvh_note(0x100_0010)]);
        let read = |bytes: &[u8]| ElfKernel::build_id(&file(bytes)).unwrap();
        assert_eq!(read(&with), Some(vec![0xab, 0xcd, 1]));
        assert_eq!(read(&without), None);
    }
}
