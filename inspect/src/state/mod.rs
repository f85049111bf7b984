//! The state of the kernel, one submodule a subsystem. Each walk is bounded and says where it broke.

mod diff;
mod lockdep;
mod locks;
mod log;
mod run_queues;
mod slab_pages;
mod slabs;
mod summary;
mod taint;
mod task_state;
mod tasks;
mod zones;

pub use diff::{Diff, SlabChange};
pub use lockdep::HeldLock;
pub use locks::{LockKind, LockWait, Locks, Party};
pub use log::LogRecord;
pub use run_queues::RunQueue;
pub use slabs::SlabCache;
pub use summary::{Summary, TaskStack};
pub use taint::Taint;
pub use tasks::Task;
pub use zones::{FreeArea, Zone};
