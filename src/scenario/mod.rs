//! Scenarios: what a file states ([`written`]), what it means ([`model`]), and where files are.

mod allowed;
mod base;
pub mod discover;
mod load;
pub mod model;
mod parse;
mod problem;
mod resolve;
mod source;
mod suggest;
pub mod units;
pub mod written;

pub use allowed::load_allowed;
pub use load::{Loaded, built_in};
pub use problem::Problem;
pub use source::Place;
