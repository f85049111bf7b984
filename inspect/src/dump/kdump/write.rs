//! Writes a compressed kdump file.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use flate2::{Compress, Compression, FlushCompress, Status};

use super::super::export::all_notes;
use super::super::sparse::CopyError;
use super::super::{Dump, DumpError, VmcoreInfo, VmcoreNotes};
use super::{DESCRIPTOR, NAME, SIGNATURE, SUB_HEADER, ZLIB};
use crate::memory::PhysicalMemory;

const PAGE: u64 = 4096;
const PAGE_BYTES: usize = 4096;
/// The version that has 64-bit page numbers in its sub-header.
const VERSION: u32 = 6;
/// Pages read at once.
const CHUNK: u64 = 256;

/// Writes `dump` to `path` as a compressed kdump file. Gives its size in bytes.
///
/// # Errors
/// When memory cannot be read or the file not written; a partial file is removed.
pub fn write_kdump(dump: &Dump, notes: &VmcoreNotes, path: &Path) -> Result<u64, DumpError> {
    let failed = |source| DumpError::Io { action: "write", path: path.into(), source };
    let file = File::create(path).map_err(failed)?;
    write_to(file, dump, notes).map_err(|error| {
        // The partial file would look like a vmcore; the error of the removal adds nothing.
        let _ = std::fs::remove_file(path);
        error.at(path)
    })
}

/// Where the parts of the file are, in bytes.
struct Plan {
    notes: Vec<u8>,
    /// Offset and length of the text of VMCOREINFO in the file.
    info: Range<u64>,
    /// Pages up to the end of memory.
    last_page: u64,
    sub_header_blocks: u64,
    /// Blocks of one of the two bitmaps.
    bitmap_blocks: u64,
}

impl Plan {
    fn new(dump: &Dump, notes: &VmcoreNotes) -> Self {
        let bytes = all_notes(dump, notes);
        let text = notes.vmcoreinfo.len() as u64;
        // The text is the end of the last note, before its padding.
        let end = PAGE + SUB_HEADER as u64 + bytes.len() as u64;
        let padding = text.next_multiple_of(4) - text;
        let last_page = dump.memory.ranges().last().map_or(0, |range| range.end.div_ceil(PAGE));
        Self {
            sub_header_blocks: (SUB_HEADER as u64 + bytes.len() as u64).div_ceil(PAGE),
            info: end - padding - text..end - padding,
            bitmap_blocks: last_page.div_ceil(8).div_ceil(PAGE),
            notes: bytes,
            last_page,
        }
    }

    fn bitmaps_at(&self) -> u64 {
        PAGE * (1 + self.sub_header_blocks)
    }

    fn descriptors_at(&self) -> u64 {
        self.bitmaps_at() + 2 * PAGE * self.bitmap_blocks
    }
}

fn write_to(file: File, dump: &Dump, notes: &VmcoreNotes) -> Result<u64, CopyError> {
    let plan = Plan::new(dump, notes);
    let ranges = whole_pages(&*dump.memory);
    let pages: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    let mut out = BufWriter::new(file);
    out.write_all(&header(dump, notes, &plan))?;
    out.write_all(&sub_header(notes, &plan))?;
    out.write_all(&plan.notes)?;
    out.seek(SeekFrom::Start(plan.bitmaps_at()))?;
    let bitmap = bitmap(&ranges, &plan);
    // Every page of memory is in the file: those of zeros share one place.
    out.write_all(&bitmap)?;
    out.write_all(&bitmap)?;
    let data_at = plan.descriptors_at() + pages * DESCRIPTOR as u64;
    out.seek(SeekFrom::Start(data_at))?;
    let mut packer = Packer::new(data_at);
    packer.zeros(&mut out)?;
    for range in &ranges {
        packer.range(&mut out, &*dump.memory, range.clone())?;
    }
    out.seek(SeekFrom::Start(plan.descriptors_at()))?;
    out.write_all(&packer.descriptors)?;
    out.flush()?;
    Ok(packer.at)
}

/// The ranges of memory in pages. Those that end within a page have no kernel data in what is cut off.
fn whole_pages(memory: &dyn PhysicalMemory) -> Vec<Range<u64>> {
    let pages = |range: &Range<u64>| range.start.div_ceil(PAGE)..range.end / PAGE;
    memory.ranges().iter().map(pages).filter(|range| !range.is_empty()).collect()
}

fn header(dump: &Dump, notes: &VmcoreNotes, plan: &Plan) -> Vec<u8> {
    let info = VmcoreInfo::parse(notes.vmcoreinfo.as_bytes());
    let arch = dump.arch.to_string();
    let mut block = Vec::with_capacity(PAGE_BYTES);
    block.extend(SIGNATURE);
    block.extend(VERSION.to_le_bytes());
    // `struct new_utsname`: system, node, release, version, machine, domain. Readers tell the
    // architecture by the machine; libkdumpfile believes it only where none is empty.
    let release = info.release().unwrap_or("unknown");
    for name in ["Linux", "(none)", release, "(none)", &arch, "(none)"] {
        let start = block.len();
        block.extend(&name.as_bytes()[..name.len().min(NAME - 1)]);
        block.resize(start + NAME, 0);
    }
    // Padding and a time stamp, which nobody needs.
    block.resize(block.len() + 22, 0);
    let low = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let cpus = u32::try_from(dump.cpus.len()).unwrap_or(u32::MAX);
    for word in [
        ZLIB,
        low(PAGE),
        low(plan.sub_header_blocks),
        low(2 * plan.bitmap_blocks),
        low(plan.last_page),
        0, // total_ram_blocks, device_blocks, written_blocks, current_cpu: of the disk dump of old
        0,
        0,
        0,
        cpus,
    ] {
        block.extend(word.to_le_bytes());
    }
    block.resize(PAGE_BYTES, 0);
    block
}

fn sub_header(notes: &VmcoreNotes, plan: &Plan) -> Vec<u8> {
    let info = VmcoreInfo::parse(notes.vmcoreinfo.as_bytes());
    let base = info.number("phys_base").unwrap_or(0).cast_unsigned();
    let notes_at = PAGE + SUB_HEADER as u64;
    let mut bytes = Vec::with_capacity(SUB_HEADER);
    for word in [
        base,
        0, // dump level 0 (all pages), not split
        0,
        0,
        plan.info.start,
        plan.info.end - plan.info.start,
        notes_at,
        plan.notes.len() as u64,
        0,
        0,
        0,
        plan.last_page,
        plan.last_page,
    ] {
        bytes.extend(u64::to_le_bytes(word));
    }
    bytes
}

/// One bit a page, the lowest first.
fn bitmap(ranges: &[Range<u64>], plan: &Plan) -> Vec<u8> {
    let mut bits = vec![0_u8; crate::bytes::index(plan.bitmap_blocks * PAGE)];
    for page in ranges.iter().cloned().flatten() {
        if let Some(byte) = bits.get_mut(crate::bytes::index(page / 8)) {
            *byte |= 1 << (page % 8);
        }
    }
    bits
}

/// Writes pages behind each other and remembers where each is.
struct Packer {
    zlib: Compress,
    packed: Vec<u8>,
    descriptors: Vec<u8>,
    /// Where the next page goes.
    at: u64,
    zero: [u8; DESCRIPTOR],
}

impl Packer {
    fn new(at: u64) -> Self {
        Self {
            zlib: Compress::new(Compression::fast(), true),
            packed: Vec::with_capacity(2 * PAGE_BYTES),
            descriptors: Vec::new(),
            at,
            zero: [0; DESCRIPTOR],
        }
    }

    /// The page that all pages of zeros share.
    fn zeros(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.zero = self.pack(out, &[0; PAGE_BYTES])?;
        Ok(())
    }

    fn range(
        &mut self,
        out: &mut impl Write,
        memory: &dyn PhysicalMemory,
        pages: Range<u64>,
    ) -> Result<(), CopyError> {
        let mut buffer = Vec::new();
        let mut page = pages.start;
        while page < pages.end {
            // Holes of a sparse file need not be read.
            let data = memory.next_data(page * PAGE).map_or(pages.end, |data| data.start / PAGE);
            let data = data.clamp(page, pages.end);
            (page..data).for_each(|_| self.descriptors.extend(self.zero));
            page = data;
            let end = (page + CHUNK).min(pages.end);
            buffer.resize(crate::bytes::index((end - page) * PAGE), 0);
            memory.read(page * PAGE, &mut buffer).map_err(CopyError::Memory)?;
            for content in buffer.chunks_exact(PAGE_BYTES) {
                let descriptor = match content.iter().all(|byte| *byte == 0) {
                    true => self.zero,
                    false => self.pack(out, content)?,
                };
                self.descriptors.extend(descriptor);
            }
            page = end;
        }
        Ok(())
    }

    /// Writes a page, compressed where that makes it smaller, and gives its descriptor.
    fn pack(&mut self, out: &mut impl Write, page: &[u8]) -> io::Result<[u8; DESCRIPTOR]> {
        self.zlib.reset();
        self.packed.clear();
        let status = self.zlib.compress_vec(page, &mut self.packed, FlushCompress::Finish);
        let smaller = matches!(status, Ok(Status::StreamEnd)) && self.packed.len() < page.len();
        let (content, flags) = if smaller { (self.packed.as_slice(), ZLIB) } else { (page, 0) };
        out.write_all(content)?;
        let size = u32::try_from(content.len()).unwrap_or(0);
        let mut descriptor = [0; DESCRIPTOR];
        descriptor[..8].copy_from_slice(&self.at.to_le_bytes());
        descriptor[8..12].copy_from_slice(&size.to_le_bytes());
        descriptor[12..16].copy_from_slice(&flags.to_le_bytes());
        self.at += content.len() as u64;
        Ok(descriptor)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::bytes::{u32_at, u64_at};
    use crate::dump::Arch;
    use crate::memory::{MemoryImage, x86_segments};

    #[test]
    fn every_page_is_described_and_pages_of_zeros_are_stored_once() {
        let mut bytes = vec![0; 8 * PAGE_BYTES];
        bytes[2 * PAGE_BYTES..][..4].copy_from_slice(b"here");
        let memory = MemoryImage::new(bytes, x86_segments(8 * PAGE, 4 * PAGE)).unwrap();
        let dump = Dump {
            arch: Arch::X86_64,
            memory: Arc::new(memory),
            cpus: vec![[("rip", 0x1234)].into_iter().collect()],
            vmcoreinfo: None,
            reason: None,
        };
        let notes = VmcoreNotes {
            vmcoreinfo: "OSRELEASE=6.1\nNUMBER(phys_base)=-4096\n".into(),
            page_offset: 0,
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vmcore");
        let size = write_kdump(&dump, &notes, &path).unwrap();
        let file = std::fs::read(&path).unwrap();
        assert_eq!(file.len() as u64, size);
        assert!(file.starts_with(b"KDUMP   "));
        assert_eq!(&file[12 + 2 * NAME..][..4], b"6.1\0");
        assert_eq!(&file[12 + 4 * NAME..][..7], b"x86_64\0");
        let sub = PAGE_BYTES;
        assert_eq!(u64_at(&file, sub).unwrap().cast_signed(), -4096);
        let (at, length) = (u64_at(&file, sub + 32).unwrap(), u64_at(&file, sub + 40).unwrap());
        let info = &file[usize::try_from(at).unwrap()..][..usize::try_from(length).unwrap()];
        assert_eq!(info, notes.vmcoreinfo.as_bytes());
        // 8 pages: 0 to 3, and 4 from 4 GiB on.
        let blocks = u32_at(&file, 432).unwrap() + u32_at(&file, 436).unwrap();
        let table = PAGE_BYTES * (1 + usize::try_from(blocks).unwrap());
        let offsets: Vec<u64> =
            (0..8).map(|page| u64_at(&file, table + DESCRIPTOR * page).unwrap()).collect();
        assert_eq!(offsets.iter().filter(|offset| **offset == offsets[0]).count(), 7);
        let there = table + DESCRIPTOR * 2;
        let (start, size) = (u64_at(&file, there).unwrap(), u32_at(&file, there + 8).unwrap());
        let packed = &file[usize::try_from(start).unwrap()..][..usize::try_from(size).unwrap()];
        let mut page = vec![0; PAGE_BYTES];
        let mut zlib = flate2::Decompress::new(true);
        zlib.decompress(packed, &mut page, flate2::FlushDecompress::Finish).unwrap();
        assert_eq!(&page[..4], b"here");
    }
}
