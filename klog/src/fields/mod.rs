//! What each kind of report says beyond its stack, as typed data.

mod access;
mod allocation;
mod count;
mod lock;
mod oom;
mod race;
mod slab;
mod stall;
mod text;
mod undefined;
mod uninitialised;

pub use access::{Access, Object};
pub use allocation::AllocationFailure;
pub use count::Corruption;
pub use lock::{LockDependency, LockReport, LockUse};
pub use oom::{OomKill, Victim};
pub use race::{Race, RaceAccess};
pub use slab::SlabCorruption;
pub use stall::{Blocker, HungTask, Lockup, RcuStall};
pub use undefined::Undefined;
pub use uninitialised::{Bytes, Uninitialised};

use serde::Serialize;

use crate::Kind;
use crate::assemble::Line;

/// The fields of a report, by what its detector prints.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Fields {
    /// The kind has none, or the report is cut off.
    #[default]
    None,
    /// KASAN, KFENCE.
    Access(Access),
    /// KCSAN.
    Race(Race),
    /// Lockdep.
    Lock(LockReport),
    /// An OOM kill.
    Oom(OomKill),
    /// A hung task.
    HungTask(HungTask),
    /// A soft or hard lockup.
    Lockup(Lockup),
    /// An RCU stall.
    RcuStall(RcuStall),
    /// Slab corruption.
    Slab(SlabCorruption),
    /// KMSAN.
    Uninitialised(Uninitialised),
    /// UBSAN.
    Undefined(Undefined),
    /// A reference count or a list that is not what it should be.
    Corruption(Corruption),
    /// A failed page allocation.
    Allocation(AllocationFailure),
}

/// Reads the fields that `kind` has.
pub(crate) fn read(kind: &Kind, lines: &[Line]) -> Fields {
    let texts: Vec<&str> =
        lines.iter().map(|line| crate::detect::text::without_subsystem(line.text.trim())).collect();
    let fields = match kind.family() {
        "kasan" | "kfence" => access::read(&texts).map(Fields::Access),
        "kmsan" => uninitialised::read(&texts).map(Fields::Uninitialised),
        "ubsan" => undefined::read(&texts).map(Fields::Undefined),
        "refcount" | "list-corruption" => count::read(&texts).map(Fields::Corruption),
        "kcsan" => race::read(&texts).map(Fields::Race),
        "lockdep" => lock::read(&texts).map(Fields::Lock),
        "oom" => oom::read(&texts).map(Fields::Oom),
        "hung-task" => stall::hung_task(&texts).map(Fields::HungTask),
        "soft-lockup" | "hard-lockup" => stall::lockup(&texts).map(Fields::Lockup),
        "rcu" => stall::rcu(&texts).map(Fields::RcuStall),
        "slab" => slab::read(&texts).map(Fields::Slab),
        "page-allocation-failure" => allocation::read(&texts).map(Fields::Allocation),
        _ => None,
    };
    fields.unwrap_or_default()
}
