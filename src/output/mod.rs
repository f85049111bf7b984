//! What people and machines are told: lines on the terminal while a run goes on, and the results
//! document in the formats that others read.

mod detail;
mod files;
mod github;
mod junit;
mod kcidb;
mod ktap;
pub mod lines;
mod markdown;
mod progress;
mod rates;
mod terminal;
mod words;

pub use files::Files;
pub use terminal::Terminal;
pub use words::{cut, summary};
