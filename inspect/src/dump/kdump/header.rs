//! Header and sub-header of a kdump file, checked.

use std::ops::Range;
use std::path::Path;

use super::super::elf::Vmcore;
use super::super::{Arch, DumpError, VmcoreInfo};
use super::{NAME, SUB_HEADER};
use crate::bytes::{u32_at, u64_at};
use crate::memory::ByteSource;

/// Offsets in `struct disk_dump_header`.
mod at {
    pub(super) const VERSION: usize = 8;
    pub(super) const NAMES: usize = 12;
    pub(super) const BLOCK_SIZE: usize = 428;
    pub(super) const SUB_HEADER_BLOCKS: usize = 432;
    pub(super) const BITMAP_BLOCKS: usize = 436;
    pub(super) const LAST_PAGE: usize = 440;
    pub(super) const END: u64 = 464;
}
/// Offsets in `struct kdump_sub_header`.
mod sub {
    pub(super) const LEVEL: usize = 8;
    pub(super) const SPLIT: usize = 12;
    pub(super) const VMCOREINFO: usize = 32;
    pub(super) const NOTES: usize = 48;
    pub(super) const LAST_PAGE_64: usize = 96;
}
/// Versions from which on the sub-header has VMCOREINFO, notes, and 64-bit page numbers.
const HAS_VMCOREINFO: u32 = 3;
const HAS_NOTES: u32 = 4;
const HAS_LAST_PAGE_64: u32 = 6;
/// Pages of memory are 4, 16 or 64 KiB.
const BLOCKS: Range<u64> = 4096..65537;
/// Both bitmaps together; enough for 4 TiB in pages of 4 KiB.
const MAX_BITMAPS: u64 = 256 << 20;
const MAX_NOTES: u64 = 64 << 20;

/// Which pages were left out: one bit a kind, the lowest for those of zeros, the others for what looked like
/// cache, private cache, a process's, and free (makedumpfile's `DL_EXCLUDE_*`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Level(u32);

impl Level {
    const ZEROS: u32 = 1;

    /// Whether a page that is not in the file may have been one of zeros.
    pub(super) fn zeros(self) -> bool {
        self.0 & Self::ZEROS != 0
    }

    /// What a reader must know where others were left out, too.
    pub(super) fn caveat(self) -> Option<String> {
        (self.0 & !Self::ZEROS != 0).then(|| {
            let level = self.0;
            let read = if self.zeros() { "are read as zeros" } else { "cannot be read" };
            format!(
                "pages were left out of this dump (level {level}), and {read}; a makedumpfile that does \
                 not know the kernel leaves out too many: `-d 1` keeps all but those of zeros"
            )
        })
    }
}

/// Where the parts of a kdump file are, and what it says beside the bytes of memory.
#[derive(Debug)]
pub(super) struct Header {
    pub core: Vmcore,
    /// Bytes of a block, which are those of a page.
    pub block: u64,
    /// Pages up to the end of memory.
    pub pages: u64,
    /// Offset of the two bitmaps in the file, and bytes of each.
    pub bitmaps: u64,
    pub bitmap_length: u64,
    /// What was left out.
    pub level: Level,
}

impl Header {
    /// Offset of the page descriptors.
    pub(super) fn descriptors(&self) -> u64 {
        self.bitmaps + 2 * self.bitmap_length
    }
}

/// A kdump file under its name, for errors.
pub(super) struct KdumpFile<'a> {
    pub path: &'a Path,
    pub source: &'a dyn ByteSource,
}

impl KdumpFile<'_> {
    pub(super) fn error(&self, offset: u64, reason: impl Into<String>) -> DumpError {
        DumpError::Format { path: self.path.to_owned(), offset, reason: reason.into() }
    }

    /// A part of the file, all of which must be there.
    pub(super) fn bytes(&self, part: Range<u64>, what: &str) -> Result<Vec<u8>, DumpError> {
        let length = part.end.saturating_sub(part.start);
        let inside = part.end <= self.source.length();
        let mut bytes = vec![0; if inside { crate::bytes::index(length) } else { 0 }];
        if !inside || self.source.read_at(part.start, &mut bytes).is_err() {
            let reason = format!(
                "the {what} ({length:#x} bytes) do not fit into the file: is it truncated?"
            );
            return Err(self.error(part.start, reason));
        }
        Ok(bytes)
    }

    /// Reads and checks both headers, and the notes.
    pub(super) fn header(&self) -> Result<Header, DumpError> {
        let head = self.bytes(0..at::END, "header")?;
        let word = |at| u64::from(u32_at(&head, at).unwrap_or_default());
        let block = word(at::BLOCK_SIZE);
        if !BLOCKS.contains(&block) || !block.is_power_of_two() {
            let reason = format!("blocks of {block} bytes; pages have 4096, 16384 or 65536");
            return Err(self.error(at::BLOCK_SIZE as u64, reason));
        }
        let sub_blocks = word(at::SUB_HEADER_BLOCKS);
        let bitmaps = block * (1 + sub_blocks);
        let bitmap_length = self.bitmap_length(block, word(at::BITMAP_BLOCKS), bitmaps)?;
        let sub = self.bytes(block..block + SUB_HEADER as u64, "sub-header")?;
        let version = u32_at(&head, at::VERSION).unwrap_or_default();
        let pages = match version {
            HAS_LAST_PAGE_64.. => u64_at(&sub, sub::LAST_PAGE_64).unwrap_or_default(),
            _ => word(at::LAST_PAGE),
        };
        // `max_mapnr` may be rounded up to a whole bitmap, and be cut to 32 bits in the old place.
        let pages = pages.min(bitmap_length * 8);
        if u32_at(&sub, sub::SPLIT) != Some(0) {
            let reason = "one part of a dump that was split; put the parts together: \
                          `makedumpfile --reassemble PART... OUT`";
            return Err(self.error(block + sub::SPLIT as u64, reason));
        }
        Ok(Header {
            core: self.notes(self.arch(&head)?, &sub, version)?,
            block,
            pages,
            bitmaps,
            bitmap_length,
            level: Level(u32_at(&sub, sub::LEVEL).unwrap_or_default()),
        })
    }

    /// Bytes of one of the two bitmaps.
    fn bitmap_length(&self, block: u64, blocks: u64, start: u64) -> Result<u64, DumpError> {
        let both = block * blocks;
        let fits = start.checked_add(both).is_some_and(|end| end <= self.source.length());
        if blocks == 0 || !blocks.is_multiple_of(2) || both > MAX_BITMAPS || !fits {
            let reason =
                format!("bitmaps of {blocks} blocks, in a file of {} bytes", self.source.length());
            return Err(self.error(at::BITMAP_BLOCKS as u64, reason));
        }
        Ok(both / 2)
    }

    fn arch(&self, head: &[u8]) -> Result<Arch, DumpError> {
        let machine = at::NAMES + 4 * NAME;
        let name = crate::bytes::c_string(head, machine).unwrap_or_default();
        [Arch::X86_64, Arch::Aarch64]
            .into_iter()
            .find(|arch| arch.to_string().as_bytes() == name)
            .ok_or_else(|| {
                let name = name.escape_ascii();
                let reason = format!("machine `{name}`; x86_64 and aarch64 are known");
                self.error(machine as u64, reason)
            })
    }

    fn notes(&self, arch: Arch, sub: &[u8], version: u32) -> Result<Vmcore, DumpError> {
        let mut core = Vmcore::new(arch, Vec::new());
        let part = |at: usize| {
            let (offset, length) = (u64_at(sub, at)?, u64_at(sub, at + 8)?);
            (length != 0).then(|| offset..offset.saturating_add(length.min(MAX_NOTES)))
        };
        if let Some(notes) = part(sub::NOTES).filter(|_| version >= HAS_NOTES) {
            core.take_notes(&self.bytes(notes, "notes")?);
        }
        if let Some(info) = part(sub::VMCOREINFO).filter(|_| version >= HAS_VMCOREINFO) {
            let text = self.bytes(info, "lines of VMCOREINFO")?;
            core.vmcoreinfo = Some(VmcoreInfo::parse(&text));
        }
        Ok(core)
    }
}
