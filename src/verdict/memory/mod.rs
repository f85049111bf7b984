//! `memory` and `snapshots` in expressions: kernel state, read when an expression asks for it.

mod functions;
mod now;
mod parts;
mod views;

pub use now::holds_now;
pub use views::Views;
