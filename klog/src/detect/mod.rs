//! Which lines of the kernel begin a report, and of what kind.
//!
//! Each file knows one family of detectors and names the kernel files that print its lines. A detector sees a
//! message without its prefix, so everything here is about what stands at the *start* of a message: text that a
//! program made the kernel echo stands further back.

mod atomic;
mod headline;
mod leak;
mod lifecycle;
mod lockdep;
mod memory;
mod needles;
mod oops;
mod sanitizer;
mod stall;
pub mod text;
mod warning;

pub use headline::{Headline, Proof, Rank, Recipe};
pub use lifecycle::{is_boot_loader, panic_reason};
pub use needles::first_needle;

/// Families in the order of asking: the first that knows a line wins, so the general ones come last.
const FAMILIES: [fn(&str) -> Option<Headline>; 9] = [
    sanitizer::detect,
    lockdep::detect,
    atomic::detect,
    stall::detect,
    memory::detect,
    leak::detect,
    lifecycle::detect,
    oops::detect,
    warning::detect,
];

/// The report that a message begins, if it begins one.
pub fn headline(message: &str) -> Option<Headline> {
    let message = text::without_subsystem(message.trim_start());
    FAMILIES.iter().find_map(|detect| detect(message))
}

/// Lines that frame reports: what they say is only clear from the lines behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// `------------[ cut here ]------------` (`include/asm-generic/bug.h`)
    CutHere,
    /// A bar of `=`, around sanitizer and lockdep reports.
    Bar,
}

/// Whether a message is a framing line.
pub fn opening(message: &str) -> Option<Opening> {
    let message = message.trim();
    if message.contains("[ cut here ]") && message.starts_with("---") {
        return Some(Opening::CutHere);
    }
    let bar = message.len() >= 20 && message.bytes().all(|byte| byte == b'=');
    bar.then_some(Opening::Bar)
}
