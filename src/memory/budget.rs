//! How much disk the snapshots of a run may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Snapshots that a run takes by itself; the first failures are those that are looked at.
const MOST: u64 = 8;
/// Bytes that they may take together.
const MOST_BYTES: u64 = 4 << 30;

/// What the snapshots of a run have left of their limits; clones share it. Only snapshots that nobody
/// asked for are counted.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    used: Arc<Used>,
    unlimited: bool,
}

#[derive(Debug, Default)]
struct Used {
    snapshots: AtomicU64,
    bytes: AtomicU64,
}

impl Budget {
    /// A new budget; `unlimited` takes every snapshot.
    pub fn new(unlimited: bool) -> Self {
        Self { unlimited, ..Self::default() }
    }

    /// Whether everything is to be kept.
    pub fn is_unlimited(&self) -> bool {
        self.unlimited
    }

    /// Takes one snapshot out of the budget, before it is written.
    ///
    /// # Errors
    /// When there is none left; the words say what to do.
    pub fn take(&self) -> Result<(), String> {
        let snapshots = self.used.snapshots.fetch_add(1, Ordering::Relaxed);
        let bytes = self.used.bytes.load(Ordering::Relaxed);
        if self.unlimited || (snapshots < MOST && bytes < MOST_BYTES) {
            return Ok(());
        }
        Err(format!(
            "the run has taken {} snapshots of {} MiB already: `--keep` takes any number",
            snapshots.min(MOST),
            bytes >> 20
        ))
    }

    /// Counts what a snapshot took of the disk.
    pub fn spend(&self, bytes: u64) {
        self.used.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives back one snapshot that was removed.
    pub fn give_back(&self) {
        self.used.snapshots.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_bytes_are_bounded_unless_everything_is_kept() {
        let budget = Budget::default();
        assert_eq!((0..MOST + 5).filter(|_| budget.take().is_ok()).count() as u64, MOST);
        let budget = Budget::default();
        budget.spend(MOST_BYTES);
        assert!(budget.clone().take().unwrap_err().contains("--keep"));
        let all = Budget::new(true);
        all.spend(MOST_BYTES);
        assert!((0..MOST * 2).all(|_| all.take().is_ok()));
    }
}
