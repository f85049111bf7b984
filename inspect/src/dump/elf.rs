//! ELF vmcores: QEMU's dump-guest-memory, kdump's /proc/vmcore, and ours.
//!
//! Layout: System V ABI, ELF-64 object file format; only the parts a core file has.

use std::path::Path;

use super::notes::{self, NT_PRSTATUS};
use super::{Arch, DumpError, Registers, VmcoreInfo};
use crate::Address;
use crate::bytes::{u16_at, u32_at, u64_at};
use crate::memory::{ByteSource, FileSource, Segment};

pub(super) const MAGIC: &[u8] = b"\x7fELF";
pub(super) const HEADER_SIZE: usize = 64;
pub(super) const PROGRAM_HEADER_SIZE: usize = 56;
pub(super) const ET_CORE: u16 = 4;
pub(super) const PT_LOAD: u32 = 1;
pub(super) const PT_NOTE: u32 = 4;
const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
/// `e_phnum` that refers to `sh_info` of the first section header.
const PN_XNUM: u16 = 0xffff;
const MAX_HEADERS: u32 = 1 << 20;
/// `NT_GNU_BUILD_ID`.
const BUILD_ID: u32 = 3;
const MAX_NOTES: u64 = 64 << 20;

/// What a vmcore says beside the bytes of memory.
#[derive(Debug)]
pub(super) struct Vmcore {
    pub arch: Arch,
    pub segments: Vec<Segment>,
    pub cpus: Vec<Registers>,
    pub vmcoreinfo: Option<VmcoreInfo>,
}

struct ProgramHeader {
    kind: u32,
    offset: u64,
    physical: u64,
    length: u64,
}

/// Reads headers and notes.
pub(super) fn read(path: &Path, source: &dyn ByteSource) -> Result<Vmcore, DumpError> {
    let file = ElfFile { path, source };
    let (arch, headers) = file.headers()?;
    let mut core = Vmcore::new(arch, load_segments(&headers));
    for header in headers.iter().filter(|header| header.kind == PT_NOTE) {
        let length = header.length.min(MAX_NOTES);
        core.take_notes(&file.bytes(header.offset, length, "notes")?);
    }
    Ok(core)
}

/// PT_LOADs as segments. Kdump describes the kernel image twice; where two headers overlap, the first
/// by address keeps the bytes.
fn load_segments(headers: &[ProgramHeader]) -> Vec<Segment> {
    let mut loads: Vec<_> =
        headers.iter().filter(|header| header.kind == PT_LOAD && header.length > 0).collect();
    loads.sort_by_key(|header| (header.physical, u64::MAX - header.length));
    let mut end = 0;
    let mut segments = Vec::new();
    for load in loads {
        let skip = u64::saturating_sub(end, load.physical);
        if skip < load.length {
            segments.push(Segment {
                start: Address(load.physical.saturating_add(skip)),
                length: Address(load.length - skip),
                offset: Address(load.offset.saturating_add(skip)),
            });
            end = load.physical.saturating_add(load.length);
        }
    }
    segments
}

impl Vmcore {
    pub(super) fn new(arch: Arch, segments: Vec<Segment>) -> Self {
        Self { arch, segments, cpus: Vec::new(), vmcoreinfo: None }
    }

    /// Takes registers and VMCOREINFO out of notes.
    pub(super) fn take_notes(&mut self, bytes: &[u8]) {
        let mut from_qemu = Vec::new();
        for note in notes::parse(bytes) {
            match (note.name, note.kind) {
                (b"CORE", NT_PRSTATUS) => {
                    self.cpus.extend(notes::prstatus_registers(self.arch, note.content))
                }
                (b"QEMU", 0) => from_qemu.extend(notes::qemu_registers(note.content)),
                (b"VMCOREINFO", _) => self.vmcoreinfo = Some(VmcoreInfo::parse(note.content)),
                _ => {}
            }
        }
        for (registers, more) in self.cpus.iter_mut().zip(from_qemu) {
            registers.complete_from(more);
        }
    }
}

/// Build-id of an ELF file such as a vmlinux, hexadecimal; nothing where it has none.
///
/// # Errors
/// When it is no ELF file, or is truncated.
pub fn elf_build_id(path: &Path) -> Result<Option<String>, DumpError> {
    let source = FileSource::open(path).map_err(|source| DumpError::Io {
        action: "open",
        path: path.into(),
        source,
    })?;
    let file = ElfFile { path, source: &source };
    let header = file.bytes(0, HEADER_SIZE as u64, "ELF header")?;
    if !header.starts_with(MAGIC) {
        return Err(file.error(0, "not an ELF file; give the vmlinux, not the bzImage"));
    }
    for header in file.program_headers(&header)?.iter().filter(|header| header.kind == PT_NOTE) {
        let bytes = file.bytes(header.offset, header.length.min(MAX_NOTES), "notes")?;
        let id = notes::parse(&bytes).find(|note| note.name == b"GNU" && note.kind == BUILD_ID);
        if let Some(id) = id {
            return Ok(Some(id.content.iter().map(|byte| format!("{byte:02x}")).collect()));
        }
    }
    Ok(None)
}

struct ElfFile<'a> {
    path: &'a Path,
    source: &'a dyn ByteSource,
}

impl ElfFile<'_> {
    fn error(&self, offset: u64, reason: impl Into<String>) -> DumpError {
        DumpError::Format { path: self.path.to_owned(), offset, reason: reason.into() }
    }

    fn bytes(&self, offset: u64, length: u64, what: &str) -> Result<Vec<u8>, DumpError> {
        let inside = offset.checked_add(length).is_some_and(|end| end <= self.source.length());
        let mut bytes = vec![0; if inside { crate::bytes::index(length) } else { 0 }];
        if !inside || self.source.read_at(offset, &mut bytes).is_err() {
            let reason = format!(
                "the {what} ({length:#x} bytes) do not fit into the file: is it truncated?"
            );
            return Err(self.error(offset, reason));
        }
        Ok(bytes)
    }

    fn headers(&self) -> Result<(Arch, Vec<ProgramHeader>), DumpError> {
        let header = self.bytes(0, HEADER_SIZE as u64, "ELF header")?;
        if header.get(4..6) != Some(&[CLASS_64, LITTLE_ENDIAN]) {
            return Err(self.error(4, "not a 64-bit little-endian ELF file"));
        }
        if u16_at(&header, 16) != Some(ET_CORE) {
            return Err(
                self.error(16, "an ELF file, but no core; give the vmcore, not the vmlinux")
            );
        }
        let machine = u16_at(&header, 18).unwrap_or_default();
        let arch = Arch::from_elf(machine).ok_or_else(|| {
            self.error(
                18,
                format!("ELF machine {machine}; x86-64 (62) and aarch64 (183) are known"),
            )
        })?;
        Ok((arch, self.program_headers(&header)?))
    }

    fn program_headers(&self, header: &[u8]) -> Result<Vec<ProgramHeader>, DumpError> {
        if u16_at(header, 54).map(usize::from) != Some(PROGRAM_HEADER_SIZE) {
            return Err(self.error(54, "program headers of an unknown size"));
        }
        let offset = u64_at(header, 32).unwrap_or_default();
        let count = self.header_count(header)?;
        let length = u64::from(count) * PROGRAM_HEADER_SIZE as u64;
        let table = self.bytes(offset, length, "program headers")?;
        Ok(table.chunks_exact(PROGRAM_HEADER_SIZE).filter_map(program_header).collect())
    }

    fn header_count(&self, header: &[u8]) -> Result<u32, DumpError> {
        let count = u16_at(header, 56).unwrap_or_default();
        if count != PN_XNUM {
            return Ok(count.into());
        }
        let section = u64_at(header, 40).unwrap_or_default();
        let first = self.bytes(section, 64, "first section header")?;
        match u32_at(&first, 44) {
            Some(count) if count <= MAX_HEADERS => Ok(count),
            count => Err(self.error(section, format!("{count:?} program headers are too many"))),
        }
    }
}

fn program_header(bytes: &[u8]) -> Option<ProgramHeader> {
    Some(ProgramHeader {
        kind: u32_at(bytes, 0)?,
        offset: u64_at(bytes, 8)?,
        physical: u64_at(bytes, 24)?,
        length: u64_at(bytes, 32)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(physical: u64, length: u64, offset: u64) -> ProgramHeader {
        ProgramHeader { kind: PT_LOAD, offset, physical, length }
    }

    #[test]
    fn a_segment_inside_of_another_is_dropped_and_an_overlap_is_clipped() {
        let segments = load_segments(&[
            load(0x1000, 0x1000, 0x9000),
            load(0, 0x4000, 0x1000),
            load(0x3000, 0x2000, 0xa000),
        ]);
        let got: Vec<_> = segments.iter().map(|s| (s.start.0, s.length.0, s.offset.0)).collect();
        assert_eq!(got, [(0, 0x4000, 0x1000), (0x4000, 0x1000, 0xb000)]);
    }

    #[test]
    fn an_executable_is_refused_with_its_offset() {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[16] = 2;
        let error = read(Path::new("vmlinux"), &bytes).unwrap_err().to_string();
        assert!(error.contains("offset 0x10"), "{error}");
        let error = read(Path::new("short"), &vec![0x7f; 10]).unwrap_err();
        assert!(error.to_string().contains("truncated"), "{error}");
    }
}
