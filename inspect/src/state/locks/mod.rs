//! Who waits for which lock, who has it, and who waits for whom in a circle.

mod cycles;
mod find;
mod holders;
mod percpu_rwsem;
mod queued;
mod rt_mutex;
mod spin;
mod wait;

pub use wait::{LockKind, LockWait, Locks, Party};
