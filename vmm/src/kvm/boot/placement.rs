//! Who lies where in low RAM: no two ranges overlap, and all are RAM.

use std::fmt;
use std::ops::Range;

/// Why something cannot be placed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// It does not lie in RAM as a whole.
    #[error(
        "{what} at {span} is outside of guest RAM, which ends at {ram_end:#x}; give the guest more memory, or another kernel"
    )]
    Outside {
        /// What was to be placed.
        what: &'static str,
        /// Where.
        span: Span,
        /// First address without RAM.
        ram_end: u64,
    },
    /// Something else is there.
    #[error("{what} at {span} overlaps {other} at {other_span}")]
    Overlap {
        /// What was to be placed.
        what: &'static str,
        /// Where.
        span: Span,
        /// What is there.
        other: &'static str,
        /// Where that is.
        other_span: Span,
    },
    /// No gap is large enough.
    #[error("no room for {what} of {size} bytes below {below:#x}; give the guest more memory")]
    NoRoom {
        /// What was to be placed.
        what: &'static str,
        /// Its size in bytes.
        size: u64,
        /// First address that it may not reach.
        below: u64,
    },
}

/// A range of guest-physical addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}..{:#x}", self.start, self.end)
    }
}

impl Span {
    fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

impl From<Range<u64>> for Span {
    fn from(range: Range<u64>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// What is placed so far.
#[derive(Debug)]
pub(crate) struct Placement {
    ram_end: u64,
    taken: Vec<(&'static str, Span)>,
}

impl Placement {
    /// Empty RAM from 0 to `ram_end`.
    pub(crate) fn new(ram_end: u64) -> Self {
        Self { ram_end, taken: Vec::new() }
    }

    /// Takes `size` bytes at `start`.
    pub(crate) fn claim(
        &mut self,
        what: &'static str,
        start: u64,
        size: u64,
    ) -> Result<(), PlacementError> {
        let end = start.saturating_add(size);
        let span = Span { start, end };
        if end > self.ram_end {
            return Err(PlacementError::Outside { what, span, ram_end: self.ram_end });
        }
        if let Some(&(other, other_span)) = self.first_overlap(span) {
            return Err(PlacementError::Overlap { what, span, other, other_span });
        }
        self.taken.push((what, span));
        Ok(())
    }

    /// Takes the highest free `size` bytes that start on a multiple of `align`, a power of two, and
    /// end at `below` or lower. Gives the address.
    pub(crate) fn claim_highest(
        &mut self,
        what: &'static str,
        size: u64,
        align: u64,
        below: u64,
    ) -> Result<u64, PlacementError> {
        let no_room = || PlacementError::NoRoom { what, size, below };
        let mut end = below.min(self.ram_end);
        // Each round moves below a range that is taken, so there are at most as many rounds.
        loop {
            let start = end.checked_sub(size).ok_or_else(no_room)? & !(align - 1);
            let span = Span { start, end: start + size };
            match self.first_overlap(span) {
                Some((_, other)) => end = other.start,
                None => {
                    self.taken.push((what, span));
                    return Ok(start);
                }
            }
        }
    }

    fn first_overlap(&self, span: Span) -> Option<&(&'static str, Span)> {
        self.taken.iter().find(|(_, other)| span.overlaps(*other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_overlap_names_both_sides() {
        let mut placement = Placement::new(0x1000);
        placement.claim("the kernel", 0x100, 0x100).unwrap();
        let error = placement.claim("the initramfs", 0x1ff, 1).unwrap_err().to_string();
        assert_eq!(error, "the initramfs at 0x1ff..0x200 overlaps the kernel at 0x100..0x200");
        placement.claim("the initramfs", 0x200, 1).unwrap();
    }

    #[test]
    fn the_highest_gap_that_fits_is_taken() {
        let mut placement = Placement::new(0x1_0000);
        placement.claim("a", 0xf000, 0x800).unwrap();
        assert_eq!(placement.claim_highest("b", 0x800, 0x800, u64::MAX), Ok(0xf800));
        assert_eq!(placement.claim_highest("c", 0x1800, 0x1000, u64::MAX), Ok(0xd000));
        assert!(placement.claim_highest("d", 0x1_0000, 0x1000, u64::MAX).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_claimed_never_overlaps_and_always_lies_in_ram(
            ram_end in 0u64..0x4000,
            claims in proptest::collection::vec((any::<bool>(), 0u64..0x5000, 0u64..0x3000), 0..12),
        ) {
            let mut placement = Placement::new(ram_end);
            for (fixed, address, size) in claims {
                let _ = if fixed {
                    placement.claim("x", address, size).map(|()| address)
                } else {
                    placement.claim_highest("x", size, 0x100, address)
                };
            }
            for (index, (_, one)) in placement.taken.iter().enumerate() {
                prop_assert!(one.end <= ram_end);
                for (_, other) in &placement.taken[..index] {
                    prop_assert!(!one.overlaps(*other));
                }
            }
        }

        #[test]
        fn no_address_makes_a_claim_panic(start: u64, size: u64, below: u64) {
            let mut placement = Placement::new(0x10_0000);
            let _ = placement.claim("x", start, size);
            let _ = placement.claim_highest("y", size, 0x1000, below);
        }
    }
}
