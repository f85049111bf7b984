//! How QEMU runs guest instructions.

use super::execution::Execution;
use crate::Backend;

/// QEMU's accelerators that the harness uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// Hardware virtualisation through `/dev/kvm`.
    Kvm,
    /// Emulation.
    Tcg,
}

impl Accel {
    /// The backend that a machine with this accelerator is.
    #[must_use]
    pub const fn backend(self) -> Backend {
        match self {
            Self::Kvm => Backend::QemuKvm,
            Self::Tcg => Backend::QemuTcg,
        }
    }

    /// Argument of `-accel`.
    pub(super) const fn argument(self, execution: Execution<'_>) -> &'static str {
        match (self, execution) {
            (Self::Kvm, _) => "kvm",
            // Counted instructions are those of one thread.
            (Self::Tcg, Execution::Recorded(_) | Execution::Replayed(_)) => "tcg,thread=single",
            // A translation cache of 256 MiB holds a booted distribution kernel; the default
            // scales with host RAM and costs page faults.
            (Self::Tcg, Execution::Free) => "tcg,thread=multi",
        }
    }

    /// Argument of `-cpu`, for a guest with a working KVM of its own or without.
    pub(super) const fn cpu(self, nested: bool) -> &'static str {
        match self {
            Self::Kvm => "host",
            // The emulated SVM saves no extended state: a nested guest that used XSAVE would have its
            // memory overwritten.
            Self::Tcg if nested => "EPYC,+svm,+npt,+nrip-save,-xsave",
            // 5-level paging costs an emulated page walk a level and no test asks for it.
            Self::Tcg => "max,la57=off",
        }
    }
}
