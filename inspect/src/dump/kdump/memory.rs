//! Guest-physical memory out of a kdump file, page by page.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::elf::Vmcore;
use super::super::{Dump, DumpError};
use super::DESCRIPTOR;
use super::bitmap::Bitmap;
use super::codec::unpack;
use super::header::{KdumpFile, Level};
use crate::bytes::{u32_at, u64_at};
use crate::memory::{ByteSource, FileSource, MemoryError, PhysicalMemory};

/// Pages that are kept unpacked: what is read next is mostly near what was read last.
const KEPT: u64 = 4096;

/// A page, and where in the file it is from. Many pages may be from one place: those of zeros are.
type Kept = Option<(u64, Arc<[u8]>)>;

/// The memory in a kdump file.
#[derive(Debug)]
struct KdumpMemory {
    source: FileSource,
    block: u64,
    in_file: Bitmap,
    ranges: Vec<Range<u64>>,
    descriptors: u64,
    level: Level,
    kept: Mutex<Vec<Kept>>,
}

/// Opens a kdump file.
///
/// # Errors
/// [`DumpError::Format`], with the offset.
pub(in super::super) fn open(path: &Path, source: FileSource) -> Result<Dump, DumpError> {
    let file = KdumpFile { path, source: &source };
    let header = file.header()?;
    let bitmap = |number: u64| {
        let start = header.bitmaps + number * header.bitmap_length;
        let bits = file.bytes(start..start + header.bitmap_length, "pages of the bitmap")?;
        Ok(Bitmap::new(bits, header.pages))
    };
    let (memory, in_file): (Bitmap, Bitmap) = (bitmap(0)?, bitmap(1)?);
    let descriptors = header.descriptors();
    let table = in_file.total() * DESCRIPTOR as u64;
    if descriptors.saturating_add(table) > source.length() {
        let reason =
            format!("{} pages do not fit into the file: is it truncated?", in_file.total());
        return Err(file.error(descriptors, reason));
    }
    let block = header.block;
    let bytes = |pages: Range<u64>| pages.start * block..pages.end * block;
    let Vmcore { arch, cpus, vmcoreinfo, .. } = header.core;
    let memory = KdumpMemory {
        ranges: memory.runs().map(bytes).collect(),
        block,
        in_file,
        descriptors,
        level: header.level,
        kept: Mutex::new(vec![None; crate::bytes::index(KEPT)]),
        source,
    };
    Ok(Dump { arch, memory: Arc::new(memory), cpus, vmcoreinfo, reason: None })
}

/// A page in the file.
struct Descriptor {
    offset: u64,
    size: u32,
    flags: u32,
}

impl KdumpMemory {
    /// The page that holds `address`; `None` for one of zeros that was left out.
    fn page(&self, address: u64) -> Result<Option<Arc<[u8]>>, MemoryError> {
        let number = address / self.block;
        if !self.in_file.has(number) {
            let hole = MemoryError::LeftOut { address };
            return if self.level.zeros() { Ok(None) } else { Err(hole) };
        }
        let descriptor = self.descriptor(number)?;
        let slot = crate::bytes::index((descriptor.offset ^ descriptor.offset >> 12) % KEPT);
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((offset, page)) = &kept()[slot]
            && *offset == descriptor.offset
        {
            return Ok(Some(Arc::clone(page)));
        }
        let page = self.unpacked(address, &descriptor)?;
        kept()[slot] = Some((descriptor.offset, Arc::clone(&page)));
        Ok(Some(page))
    }

    fn descriptor(&self, number: u64) -> Result<Descriptor, MemoryError> {
        let at = self.descriptors + self.in_file.rank(number) * DESCRIPTOR as u64;
        let mut bytes = [0; DESCRIPTOR];
        self.read_file(at, &mut bytes)?;
        let word = |at| u32_at(&bytes, at).unwrap_or_default();
        let offset = u64_at(&bytes, 0).unwrap_or_default();
        Ok(Descriptor { offset, size: word(8), flags: word(12) })
    }

    fn unpacked(&self, address: u64, descriptor: &Descriptor) -> Result<Arc<[u8]>, MemoryError> {
        let Descriptor { offset, size, flags } = *descriptor;
        let damaged = |reason| MemoryError::Page { address, offset, reason };
        if u64::from(size) > self.block {
            return Err(damaged(format!("it is packed into {size} bytes, more than it has")));
        }
        let mut content = vec![0; size as usize];
        self.read_file(offset, &mut content)?;
        let page = unpack(flags, &content, crate::bytes::index(self.block));
        page.map(Arc::from).map_err(damaged)
    }

    fn read_file(&self, offset: u64, buffer: &mut [u8]) -> Result<(), MemoryError> {
        let length = buffer.len();
        let failed = |source| MemoryError::Io { offset, length, source };
        self.source.read_at(offset, buffer).map_err(failed)
    }

    /// The range of memory that holds `address`.
    fn range(&self, address: u64) -> Option<&Range<u64>> {
        let index = self.ranges.partition_point(|range| range.end <= address);
        self.ranges.get(index).filter(|range| range.contains(&address))
    }
}

impl PhysicalMemory for KdumpMemory {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), MemoryError> {
        let length = buffer.len();
        let range = self.range(address).filter(|range| length as u64 <= range.end - address);
        if range.is_none() {
            return Err(MemoryError::Hole { address, length });
        }
        let mut at = address;
        let mut rest = buffer;
        while !rest.is_empty() {
            let within = at % self.block;
            let here = crate::bytes::index(self.block - within).min(rest.len());
            let (part, more) = rest.split_at_mut(here);
            let start = crate::bytes::index(within);
            match self.page(at)? {
                Some(page) => part.copy_from_slice(&page[start..start + here]),
                None => part.fill(0),
            }
            at += here as u64;
            rest = more;
        }
        Ok(())
    }

    fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    fn caveat(&self) -> Option<String> {
        self.level.caveat()
    }

    fn next_data(&self, from: u64) -> Option<Range<u64>> {
        let mut page = from / self.block;
        loop {
            let run = self.in_file.run(page)?;
            let start = from.max(run.start * self.block);
            let next = self.ranges.iter().find(|range| start < range.end)?;
            let start = start.max(next.start);
            let end = next.end.min(run.end * self.block);
            if start < end {
                return Some(start..end);
            }
            page = run.end.max(next.start / self.block);
        }
    }
}
