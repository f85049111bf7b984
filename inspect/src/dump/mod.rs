//! What was saved of a guest: memory, registers, and the formats they are saved in.

mod arch;
mod elf;
mod error;
mod export;
mod kdump;
mod manifest;
mod notes;
mod open;
mod registers;
mod save;
mod scan;
mod sparse;
mod vmcoreinfo;

pub use arch::Arch;
pub use elf::elf_build_id;
pub use error::DumpError;
pub use export::{VmcoreNotes, write_vmcore};
pub use kdump::write_kdump;
pub use manifest::{FORMAT, Manifest, MemoryFile, StateFile, file_hash};
pub(crate) use notes::parse as parse_notes;
pub use open::{Dump, open, open_raw};
pub use registers::Registers;
pub use save::{About, Saved, save};
pub use scan::find_vmcoreinfo;
pub use vmcoreinfo::VmcoreInfo;
