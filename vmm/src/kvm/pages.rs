//! Sets of pages of the RAM file.

/// Bytes of a page.
pub(crate) const PAGE: u64 = 0x1000;

/// Pages of a word.
const PAGES: u64 = 64;

/// A set of pages of the RAM file: bit `n` of word `m` is page `64 m + n`.
#[derive(Debug, Default)]
pub(crate) struct PageSet(Vec<u64>);

impl PageSet {
    /// Adds the pages whose bits are set in `words`, of which the first bit is the page at `offset`; that is
    /// a multiple of 256 KiB, as where RAM has its hole.
    pub(crate) fn add(&mut self, offset: u64, words: &[u64]) {
        let first = usize::try_from(offset / PAGE / PAGES).unwrap_or(usize::MAX);
        let end = first.saturating_add(words.len());
        self.0.resize(self.0.len().max(end), 0);
        for (mine, more) in self.0[first..end].iter_mut().zip(words) {
            *mine |= more;
        }
    }

    /// Offsets of the pages.
    pub(crate) fn offsets(&self) -> impl Iterator<Item = u64> {
        let words = (0..).zip(&self.0).filter(|(_, word)| **word != 0);
        words.flat_map(|(index, word)| {
            let bits = (0..PAGES).filter(move |bit| word & (1 << bit) != 0);
            bits.map(move |bit| (index * PAGES + bit) * PAGE)
        })
    }

    /// The same in as few pieces as possible: the offset of each, and its bytes.
    pub(crate) fn pieces(&self) -> Vec<(u64, u64)> {
        let mut pieces: Vec<(u64, u64)> = Vec::new();
        for offset in self.offsets() {
            match pieces.last_mut() {
                Some((start, length)) if *start + *length == offset => *length += PAGE,
                _ => pieces.push((offset, PAGE)),
            }
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_is_a_page_and_neighbours_are_one_piece() {
        let mut pages = PageSet::default();
        pages.add(0, &[0b101, 0, 1 << 63]);
        pages.add(3 << 30, &[1]);
        pages.add(0, &[0b10]);
        let found: Vec<_> = pages.offsets().map(|offset| offset / PAGE).collect();
        assert_eq!(found, [0, 1, 2, 191, 3 << 18]);
        assert_eq!(pages.pieces(), [(0, 3 * PAGE), (191 * PAGE, PAGE), (3 << 30, PAGE)]);
    }
}
