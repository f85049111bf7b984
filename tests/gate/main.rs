//! What becomes of results: formats, merge, history, the gate, the page, the schedulers. Results are
//! made up here, after the shape of real ones, so that no test boots a guest.
//!
//! Readers that are not ours check the formats: from PyPI into a virtual environment below the
//! target directory, the kernel's own KTAP parser from its source where that is in the cache. Where
//! one cannot be had, the test says so loudly and is not run.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod bisect;
mod ci;
mod compare;
mod documents;
mod formats;
mod history;
mod kubernetes;
mod page;
mod parts;
mod readers;
mod scale;
mod slurm;
