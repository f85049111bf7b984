//! How often the guest came out, and why.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why the guest came out to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitKind {
    /// It read from a port.
    PortRead,
    /// It wrote to a port.
    PortWrite,
    /// It read where there is no RAM.
    MemoryRead,
    /// It wrote where there is no RAM.
    MemoryWrite,
    /// It was kicked, or a signal came.
    Interrupted,
    /// All else.
    Other,
}

impl ExitKind {
    /// All kinds, in the order in which they are counted.
    pub const ALL: [Self; 6] = [
        Self::PortRead,
        Self::PortWrite,
        Self::MemoryRead,
        Self::MemoryWrite,
        Self::Interrupted,
        Self::Other,
    ];

    /// A name for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PortRead => "port-read",
            Self::PortWrite => "port-write",
            Self::MemoryRead => "mmio-read",
            Self::MemoryWrite => "mmio-write",
            Self::Interrupted => "interrupted",
            Self::Other => "other",
        }
    }
}

/// Counters of one machine.
#[derive(Debug, Default)]
pub(crate) struct Counters([AtomicU64; ExitKind::ALL.len()]);

impl Counters {
    pub(super) fn count(&self, kind: ExitKind) {
        self.0[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Each kind with its count.
    pub(crate) fn all(&self) -> [(ExitKind, u64); ExitKind::ALL.len()] {
        ExitKind::ALL.map(|kind| (kind, self.0[kind as usize].load(Ordering::Relaxed)))
    }
}
