//! Starts of lines of reports, by what prints them. A line that is no frame and begins with none of them is a stranger.

mod locks;
mod machine;
mod memory;
mod sanitizers;
mod search;
mod stalls;

pub(super) use search::known;
