//! Disks of a guest: what they hold at first, and where the guest's changes go.

mod changes;
mod file;
mod store;

pub(crate) use changes::MOST_CHANGED;
pub use file::{Content, Disk, DiskError, MOST_DISKS, SECTOR};
pub(crate) use file::{NOT_WITH_DISKS, zeros};
pub(crate) use store::Store;
