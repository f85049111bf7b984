//! Reports of a log that came from anywhere.

mod human;
mod input;
mod markdown;
mod shown;

pub use human::{Style, print};
pub use input::reports;
pub use markdown::print as print_markdown;
pub use shown::Shown;
