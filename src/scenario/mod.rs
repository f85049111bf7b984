//! Scenarios: what a file states ([`written`]), what it means ([`model`]), and where files are.

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

pub use load::Loaded;
pub use problem::Problem;
pub use source::Place;
