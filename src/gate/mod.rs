//! Whether a change may land: results against a baseline, of which only what is new counts.

mod after;
mod baseline;
mod compare;
mod known;
mod metric;
mod reference;
mod side;
pub mod statistics;
mod text;

pub use after::{After, History, exit_of, summarize};
pub use baseline::Baseline;
pub use compare::{Comparison, Margins, Rules, compare};
pub use known::{DEFAULT_DAYS, Known};
pub use reference::{Base, load_base};
pub use side::{Seen, Side, base_id};
pub use text::{print, to_markdown};
