//! What long work tells whoever waits for it.

/// Hears of the progress of work that takes longer than a second.
pub trait Progress {
    /// A new stage begins, in words for people: "unpacking linux-image-6.1.0-56-amd64".
    fn stage(&self, what: &str);

    /// `done` of `total` units of the current stage are done.
    fn tick(&self, done: u64, total: u64);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _what: &str) {}
    fn tick(&self, _done: u64, _total: u64) {}
}
