//! Runs the tests of a plan: in parallel, with retries, each attempt in a fresh guest.

mod attempt;
mod canary;
mod directory;
mod guest;
mod measure;
mod order;
mod places;
mod ready;
mod record;
mod rounds;
mod runner;
mod slots;
mod templates;
mod tested;

pub use canary::doubt;
pub use directory::{RunDir, default_place};
pub use order::Durations;
pub use record::Record;
pub use rounds::Until;
pub use runner::{Options, run_all};
pub use templates::{check_one_boot, check_saved_boot};
