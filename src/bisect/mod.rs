//! Finds the commit that broke a scenario: drives `git bisect`, builds, runs, and repeats as often
//! as the failure's rate demands.

mod git;
mod repeats;
mod search;

pub use search::{Search, Verdict, find};
