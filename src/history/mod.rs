//! Past runs in an embedded database, and what became of each test over time.

mod store;
mod tables;
mod text;
mod trend;

pub use store::{HistoryError, Store};
pub use text::print;
pub use trend::trends;
