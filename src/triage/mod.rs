//! Reports of a log that came from anywhere.

mod human;
mod input;
mod markdown;

pub use human::{Style, print};
pub use input::reports;
pub use markdown::print as print_markdown;
