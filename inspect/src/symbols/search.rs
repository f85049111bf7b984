//! Finds kallsyms in a kernel image with nothing to go by: for guests stopped before the kernel wrote
//! VMCOREINFO, and for kernels before 6.0, whose VMCOREINFO does not name the tables.
//!
//! The token table always has the ten digits as ten consecutive one-character tokens. After it come the
//! 256 rising `u16` of the token index; the number of symbols and the names lie before it in every
//! layout. A wrong start inside of the names decodes to valid names, too, so a candidate counts only if
//! the table of markers (an offset every 256 names) that follows the names agrees.

use super::kallsyms::{MAX_SYMBOLS, TOKENS, Tokens, name_length};
use super::{SymbolError, Tables};
use crate::bytes::{u16_at, u32_at, u64_at};

const DIGITS: &[u8] = b"0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0";
/// The names reach back at most so far from the token table.
const MAX_NAMES: usize = 16 << 20;
/// No kernel has fewer symbols: a smaller number is not `num_syms`.
const MIN_SYMBOLS: u32 = 512;
/// Names that must look like symbols before all of them are walked.
const PROBED: usize = 64;
/// Runs of digits that are looked at, and candidates for the names whose every name is walked. Real
/// kernels need one or two of each; the limits bound the time that a crafted image can take.
const MAX_RUNS: usize = 16;
const MAX_WALKS: usize = 256;
/// Symbols between two markers.
const MARKED: u32 = 256;
/// Kinds of symbols, nm(1).
const KINDS: &[u8] = b"AaBbCcDdGgIiNnRrSsTtUuVvWw?-";

/// Looks for the tables in `image`, the bytes of the kernel image from virtual address `base` on.
///
/// # Errors
/// [`SymbolError::Absent`].
pub fn find_tables(image: &[u8], base: u64) -> Result<Tables, SymbolError> {
    memchr::memmem::find_iter(image, DIGITS)
        .take(MAX_RUNS)
        .filter_map(|digits| TokenTables::at(image, digits))
        .find_map(|tokens| tokens.complete(image, base))
        .ok_or(SymbolError::Absent)
}

/// Offsets of the two token tables in the image.
struct TokenTables {
    table: usize,
    index: usize,
    tokens: Tokens,
}

impl TokenTables {
    /// The tables around a run of digits.
    fn at(image: &[u8], digits: usize) -> Option<Self> {
        let index = (digits.next_multiple_of(4)..digits + 8192)
            .step_by(4)
            .find(|&at| is_token_index(image, at))?;
        let zero = u16_at(image, index + 2 * usize::from(b'0'))?;
        let table = digits.checked_sub(zero.into())?;
        let tokens = Tokens::new(&image[table..index], image.get(index..index + 2 * TOKENS)?)?;
        Some(Self { table, index, tokens })
    }

    fn complete(&self, image: &[u8], base: u64) -> Option<Tables> {
        let lowest = self.table.saturating_sub(MAX_NAMES);
        let names = (lowest.next_multiple_of(4)..self.table)
            .step_by(4)
            .rev()
            .flat_map(|at| self.names_after(image, at))
            .take(MAX_WALKS)
            .find(|names| names.markers_agree(&image[names.start..self.table]))?;
        Some(self.tables(image, base, &names))
    }

    /// What may be names, if the `u32` at `at` is `num_syms`.
    fn names_after<'a>(&'a self, image: &'a [u8], at: usize) -> impl Iterator<Item = Names> + 'a {
        let count = u32_at(image, at).filter(|count| (MIN_SYMBOLS..=MAX_SYMBOLS).contains(count));
        count
            .into_iter()
            .flat_map(move |count| [4, 8].map(|gap| Names { num_syms: at, start: at + gap, count }))
            .filter(|names| {
                let bytes = image.get(names.start..self.table);
                bytes.is_some_and(|bytes| self.look_like_names(bytes))
            })
    }

    fn look_like_names(&self, mut names: &[u8]) -> bool {
        let mut name = Vec::new();
        for _ in 0..PROBED {
            let Some(rest) = self.tokens.expand(names, &mut name) else {
                return false;
            };
            let plausible = name.len() >= 2
                && KINDS.contains(&name[0])
                && name[1..].iter().all(u8::is_ascii_graphic);
            if !plausible {
                return false;
            }
            names = rest;
        }
        true
    }

    /// The places of the other tables, by layout.
    fn tables(&self, image: &[u8], base: u64, names: &Names) -> Tables {
        let address = |at: usize| base.wrapping_add(at as u64);
        let (offsets, relative_base) = self.offsets(image, names);
        Tables {
            num_syms: address(names.num_syms),
            names: address(names.start),
            token_table: address(self.table),
            token_index: address(self.index),
            offsets: address(offsets),
            relative_base: relative_base.map(address),
        }
    }

    /// Before 6.4: offsets, base, num_syms. Since then: token_index, offsets, base; since 7.x no base.
    fn offsets(&self, image: &[u8], names: &Names) -> (usize, Option<usize>) {
        let length = 4 * names.count as usize;
        let before = (names.num_syms & !7).saturating_sub(8);
        if is_kernel_address(image, before) {
            return (before.saturating_sub(length) & !7, Some(before));
        }
        let offsets = (self.index + 2 * TOKENS).next_multiple_of(4);
        let after = (offsets + length).next_multiple_of(8);
        (offsets, is_kernel_address(image, after).then_some(after))
    }
}

fn is_token_index(image: &[u8], at: usize) -> bool {
    let Some(index) = image.get(at..at + 2 * TOKENS) else {
        return false;
    };
    let value = |token| u16_at(index, 2 * token).unwrap_or_default();
    value(0) == 0 && (1..TOKENS).all(|token| value(token - 1) < value(token))
}

fn is_kernel_address(image: &[u8], at: usize) -> bool {
    u64_at(image, at).is_some_and(|value| value >> 40 == 0x00ff_ffff)
}

/// A candidate for `num_syms` and the names.
struct Names {
    num_syms: usize,
    start: usize,
    count: u32,
}

impl Names {
    /// Walks all names; the first two markers must follow: 0, and the offset of name 256.
    fn markers_agree(&self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        let mut second = 0;
        for number in 0..self.count {
            if number == MARKED {
                second = bytes.len() - rest.len();
            }
            let Some(next) = name_length(rest).and_then(|(length, rest)| rest.get(length..)) else {
                return false;
            };
            rest = next;
        }
        let end = self.start + (bytes.len() - rest.len());
        [4, 8].into_iter().any(|align| {
            let at = end.next_multiple_of(align) - self.start;
            u32_at(bytes, at) == Some(0)
                && u32_at(bytes, at + 4).map(|marker| marker as usize) == Some(second)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_tables_is_an_error_and_not_a_guess() {
        assert!(find_tables(&[0; 4096], 0).is_err());
        let mut digits_only = vec![0; 4096];
        digits_only[100..100 + DIGITS.len()].copy_from_slice(DIGITS);
        assert!(find_tables(&digits_only, 0).is_err());
    }
}
