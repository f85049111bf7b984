//! The same bug, the same fingerprint.

use crate::detect::Recipe;
use crate::{Frame, Kind};

/// Frames that count: deeper ones differ with the way a bug was reached, and where a processor is caught that stands
/// still is chance.
pub(super) fn depth(recipe: Recipe) -> usize {
    if recipe == Recipe::Stall { 0 } else { 3 }
}

/// A fingerprint of kind, title, and the innermost reliable frames that are worth looking at.
///
/// Addresses, offsets, processors, tasks and times do not enter, and neither do inlined frames, which only
/// symbolised logs show.
pub(super) fn fingerprint(kind: &Kind, title: &str, frames: &[Frame], depth: usize) -> String {
    let mut hash = Fnv::new();
    hash.add(kind.as_str());
    hash.add(title);
    let own = frames.iter().filter(|frame| frame.reliable && !frame.inlined);
    let telling =
        own.filter(|frame| !super::skip::skips(&frame.function, super::skip::Skip::Stall));
    for frame in telling.take(depth) {
        hash.add(&super::syscall::plain_name(&frame.function));
    }
    format!("{:016x}", hash.0)
}

/// FNV-1a, 64 bits (draft-eastlake-fnv): small, and the same everywhere and for ever.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, text: &str) {
        for byte in text.bytes().chain([0]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_told_apart() {
        let kind = Kind::new("warning");
        assert_ne!(
            fingerprint(&kind, "WARNING in a", &[], 3),
            fingerprint(&kind, "WARNING in b", &[], 3)
        );
        assert_eq!(
            fingerprint(&kind, "WARNING in a", &[], 3),
            fingerprint(&kind, "WARNING in a", &[], 3)
        );
    }
}
