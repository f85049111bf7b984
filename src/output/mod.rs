//! What people see: one line a test while it runs, details at the end.

mod detail;
mod progress;
mod terminal;

pub use terminal::Terminal;
