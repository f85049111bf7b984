//! The array of `struct page`: in one piece (`CONFIG_SPARSEMEM_VMEMMAP`), or one for each section of memory.

use super::{Error, Kernel};
use crate::dump::Arch;

/// Sections that are looked at: 8 TiB of memory in sections of 128 MiB.
const MOST_SECTIONS: u64 = 1 << 16;

/// The low bits of `mem_section.section_mem_map` are flags; the arrays begin at a page (include/linux/mmzone.h).
const FLAGS: u64 = 0xfff;

/// Where the `struct page` of each page frame is.
#[derive(Debug)]
pub struct PageArray {
    /// Bytes of a `struct page`.
    size: u64,
    /// Frames of a section.
    frames: u64,
    /// For each section where its array would have frame 0, if it has an array. One for all where they agree.
    bases: Vec<Option<u64>>,
}

impl PageArray {
    /// Virtual address of the `struct page` of `frame`.
    pub(crate) fn descriptor(&self, frame: u64) -> Option<u64> {
        let section = usize::try_from(frame / self.frames).ok()?;
        let base = (*self.bases.get(section)?)?;
        Some(base.wrapping_add(frame.wrapping_mul(self.size)))
    }

    /// The page frame that the `struct page` at `address` is of.
    pub(crate) fn frame(&self, address: u64) -> Option<u64> {
        let sections = (0..).zip(&self.bases);
        sections.filter_map(|(section, base)| Some((section, (*base)?))).find_map(
            |(section, base)| {
                let frame = address.wrapping_sub(base) / self.size;
                (frame / self.frames == section).then_some(frame)
            },
        )
    }

    /// Bytes of a `struct page`.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

impl Kernel {
    /// The array of `struct page`.
    ///
    /// # Errors
    /// When the kernel's variable cannot be read, or VMCOREINFO does not say.
    pub fn page_array(&self) -> Result<PageArray, Error> {
        let size = self.size_of("page")?.max(1);
        let whole = || Ok(PageArray { size, frames: u64::MAX, bases: vec![Some(self.vmemmap()?)] });
        if self.dump().arch != Arch::X86_64 {
            return whole();
        }
        let (Some((frames, bases)), vmemmap) = (self.sections(), self.vmemmap()?) else {
            return whole();
        };
        if bases.iter().flatten().all(|base| *base == vmemmap) {
            return whole();
        }
        Ok(PageArray { size, frames, bases })
    }

    /// Frames of a section, and the arrays of all sections, as VMCOREINFO describes `mem_section`: an array of
    /// arrays (`CONFIG_SPARSEMEM_EXTREME`).
    fn sections(&self) -> Option<(u64, Vec<Option<u64>>)> {
        let info = self.vmcoreinfo();
        let plain = |key: &str| info.get(key)?.parse::<u64>().ok();
        let roots = info.symbol("mem_section")?;
        let size = plain("SIZE(mem_section)").filter(|size| *size > 0)?;
        let offset = plain("OFFSET(mem_section.section_mem_map)")?;
        let bits = info.number("SECTION_SIZE_BITS").filter(|bits| (13..=40).contains(bits))?;
        let in_root = (self.page_size() / size).max(1);
        let end = self.dump().memory.ranges().iter().map(|range| range.end).max()?;
        let count = (end.saturating_sub(1) >> bits).saturating_add(1).min(MOST_SECTIONS);
        let base = |section: u64| {
            let root = self.space().u64(roots.wrapping_add(section / in_root * 8)).ok()?;
            let at = root.wrapping_add(section % in_root * size).wrapping_add(offset);
            let map = self.space().u64(at).ok()?;
            (root != 0 && map != 0).then_some(map & !FLAGS)
        };
        Some((frames_of(bits, self.page_size()), (0..count).map(base).collect()))
    }
}

/// Frames of a section of `1 << bits` bytes: one at least, since a damaged VMCOREINFO may claim pages that are larger.
fn frames_of(bits: i64, page_size: u64) -> u64 {
    ((1 << bits) / page_size).max(1)
}

#[cfg(test)]
mod tests {
    use super::{PageArray, frames_of};

    #[test]
    fn a_section_has_a_frame_even_where_pages_are_said_to_be_larger() {
        assert_eq!(frames_of(27, 4096), 32768);
        assert_eq!(frames_of(27, 1 << 63), 1);
    }

    #[test]
    fn each_section_has_an_array_of_its_own_and_holes_have_none() {
        let array =
            PageArray { size: 64, frames: 8, bases: vec![Some(0x1000), None, Some(0x9000)] };
        assert_eq!(array.descriptor(3), Some(0x1000 + 3 * 64));
        assert_eq!(array.descriptor(8), None);
        assert_eq!(array.descriptor(17), Some(0x9000 + 17 * 64));
        assert_eq!(array.descriptor(24), None);
        assert_eq!(array.frame(0x9000 + 17 * 64), Some(17));
        assert_eq!(array.frame(0x1000 + 9 * 64), None);
        assert_eq!(array.frame(0), None);
    }
}
