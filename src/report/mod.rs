//! The results as one HTML page that needs nothing else: no network, no other file.

mod console;
mod data;
mod page;

pub use page::write;
