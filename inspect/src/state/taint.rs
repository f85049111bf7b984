//! What taints the kernel.

use serde::Serialize;

use crate::kernel::{Error, Kernel};

/// The taint mask and its letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taint {
    /// The bits, as in `/proc/sys/kernel/tainted`.
    pub bits: u64,
    /// A letter for each bit, as in an oops; empty for an untainted kernel.
    pub letters: String,
}

/// Letters by bit, `taint_flags` of kernel/panic.c.
const LETTERS: &[u8] = b"PFSRMBUDAWCIOELKXTNJ";

impl Kernel {
    /// The taint mask.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn taint(&self) -> Result<Taint, Error> {
        let bits = self.global("tainted_mask", 8)?;
        Ok(Taint { bits, letters: letters(bits) })
    }
}

fn letters(bits: u64) -> String {
    LETTERS
        .iter()
        .enumerate()
        .filter(|(bit, _)| bits >> bit & 1 != 0)
        .map(|(_, letter)| char::from(*letter))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_an_oops() {
        assert_eq!(letters(0), "");
        assert_eq!(letters(1 << 9 | 1 << 12), "WO");
        assert_eq!(letters(1 << 18), "N");
        assert_eq!(letters(1 << 63), "");
    }
}
