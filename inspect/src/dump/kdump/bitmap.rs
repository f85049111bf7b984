//! A bit for each page, and how many are set before it.

use std::ops::Range;

/// Bytes that are counted together.
const GROUP: usize = 512;

/// Pages that are memory, or that are in the file.
#[derive(Debug)]
pub(super) struct Bitmap {
    bits: Vec<u8>,
    /// Bits that are set before each group.
    before: Vec<u64>,
}

impl Bitmap {
    /// Of the first `pages` pages; the lowest bit comes first.
    pub(super) fn new(mut bits: Vec<u8>, pages: u64) -> Self {
        bits.truncate(crate::bytes::index(pages.div_ceil(8)));
        if let (Some(last), rest @ 1..) = (bits.last_mut(), pages % 8) {
            *last &= (1 << rest) - 1;
        }
        let mut sum = 0;
        let before = bits
            .chunks(GROUP)
            .map(|group| {
                let here = sum;
                sum += count(group);
                here
            })
            .collect();
        Self { bits, before }
    }

    pub(super) fn has(&self, page: u64) -> bool {
        let byte = self.bits.get(crate::bytes::index(page / 8));
        byte.is_some_and(|byte| byte >> (page % 8) & 1 != 0)
    }

    /// How many pages before `page` are set; `page` must be one of the bitmap.
    pub(super) fn rank(&self, page: u64) -> u64 {
        let byte = crate::bytes::index(page / 8).min(self.bits.len());
        let group = byte / GROUP;
        let within = self.bits.get(byte).map_or(0, |last| last & !(u8::MAX << (page % 8)));
        let start = self.before.get(group).copied().unwrap_or_default();
        start + count(&self.bits[group * GROUP..byte]) + u64::from(within.count_ones())
    }

    /// How many pages are set.
    pub(super) fn total(&self) -> u64 {
        count(&self.bits)
    }

    /// The first run of pages that are set, from `page` on.
    pub(super) fn run(&self, page: u64) -> Option<Range<u64>> {
        let start = self.find(page, true)?;
        Some(start..self.find(start, false).unwrap_or(self.bits.len() as u64 * 8))
    }

    /// All runs, in order.
    pub(super) fn runs(&self) -> impl Iterator<Item = Range<u64>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let run = self.run(at)?;
            at = run.end;
            Some(run)
        })
    }

    /// The first page from `page` on that is set, or is not.
    fn find(&self, page: u64, set: bool) -> Option<u64> {
        let skip = if set { 0 } else { u8::MAX };
        let mut page = page;
        while let Some(byte) = self.bits.get(crate::bytes::index(page / 8)) {
            if page.is_multiple_of(8) && *byte == skip {
                page += 8;
            } else if self.has(page) == set {
                return Some(page);
            } else {
                page += 1;
            }
        }
        None
    }
}

fn count(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(byte.count_ones())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_ranks_are_those_of_a_plain_count() {
        let mut bits = vec![0; 3 * GROUP];
        for page in [0_usize, 1, 7, 8, 9, 4095, 4096, 8000, 12287] {
            bits[page / 8] |= 1 << (page % 8);
        }
        let map = Bitmap::new(bits, 12287);
        let runs: Vec<_> = map.runs().collect();
        assert_eq!(runs, [0..2, 7..10, 4095..4097, 8000..8001], "the last bit is past the end");
        for (rank, page) in [0, 1, 7, 8, 9, 4095, 4096, 8000].into_iter().enumerate() {
            assert_eq!(map.rank(page), rank as u64, "{page}");
            assert!(map.has(page));
        }
        assert_eq!((map.total(), map.has(2), map.has(u64::MAX)), (8, false, false));
    }

    #[test]
    fn a_run_may_reach_the_end() {
        let map = Bitmap::new(vec![0xff; 4], 32);
        assert_eq!(map.run(3), Some(3..32));
        assert_eq!(map.run(32), None);
        assert_eq!(Bitmap::new(Vec::new(), 0).run(0), None);
    }
}
