//! Decodes kallsyms, the kernel's compressed symbol table.
//!
//! Format: scripts/kallsyms.c and kernel/kallsyms.c. Every name is a length (one byte, or two with bit 7
//! of the first set) and that many token numbers; a token is a string of `token_table`, found through
//! `token_index`. The first character is the kind of the symbol. Addresses are `s32` offsets, in one of
//! three encodings; see [`Encoding`].

use super::{SymbolError, Symbols};
use crate::bytes::{c_string, i32_at, u16_at};
use crate::memory::AddressSpace;

/// Symbols that a table may hold at most; kernels with everything built in have under a million.
pub(super) const MAX_SYMBOLS: u32 = 4_000_000;
/// Bytes of compressed names at most.
const MAX_NAMES: u64 = 64 << 20;
/// Tokens, and bytes that their strings take at most.
pub(super) const TOKENS: usize = 256;
const MAX_TOKEN_TABLE: usize = 16 << 10;

/// Virtual addresses of the parts of kallsyms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tables {
    /// `kallsyms_num_syms`, a `u32`.
    pub num_syms: u64,
    /// `kallsyms_names`.
    pub names: u64,
    /// `kallsyms_token_table`.
    pub token_table: u64,
    /// `kallsyms_token_index`, 256 `u16`.
    pub token_index: u64,
    /// `kallsyms_offsets`, an `s32` a symbol.
    pub offsets: u64,
    /// `kallsyms_relative_base`; gone in 7.x.
    pub relative_base: Option<u64>,
}

/// How an offset becomes an address.
enum Encoding {
    /// Since 7.x without a base: relative to the offset's own place.
    SelfRelative,
    /// `base + offset`, the offset unsigned.
    Unsigned(u64),
    /// With CONFIG_KALLSYMS_ABSOLUTE_PERCPU: not negative is the address itself (a per-CPU offset),
    /// negative is `base - 1 - offset`.
    PerCpu(u64),
}

impl Tables {
    /// Reads and decodes the whole table.
    ///
    /// # Errors
    /// When a part cannot be read or makes no sense.
    pub fn decode(&self, space: &AddressSpace) -> Result<Symbols, SymbolError> {
        let count = space.u32(self.num_syms)?;
        if count == 0 || count > MAX_SYMBOLS {
            return Err(damaged(self.num_syms, format!("{count} symbols")));
        }
        let tokens = Tokens::read(space, self)?;
        let names = self.read_names(space)?;
        let offsets = space.bytes(self.offsets, 4 * count as usize)?;
        let encoding = self.encoding(space, &offsets)?;
        let mut symbols = Symbols::default();
        let mut rest = names.as_slice();
        let mut name = Vec::new();
        for (offset, at) in offsets.chunks_exact(4).zip((self.offsets..).step_by(4)) {
            rest = tokens.expand(rest, &mut name).ok_or_else(|| {
                let done = symbols.len();
                damaged(self.names, format!("the names end after {done} of {count} symbols"))
            })?;
            if let Some((&kind, name)) = name.split_first() {
                let offset = i32_at(offset, 0).unwrap_or_default();
                symbols.push(encoding.address(offset, at), kind, name);
            }
        }
        Ok(symbols.seal())
    }

    /// The names lie before the token table in every layout, so that bounds them.
    fn read_names(&self, space: &AddressSpace) -> Result<Vec<u8>, SymbolError> {
        let length = self.token_table.wrapping_sub(self.names);
        if length > MAX_NAMES {
            let reason = format!("names of {length:#x} bytes, up to the token table");
            return Err(damaged(self.names, reason));
        }
        Ok(space.bytes(self.names, crate::bytes::index(length))?)
    }

    fn encoding(&self, space: &AddressSpace, offsets: &[u8]) -> Result<Encoding, SymbolError> {
        let Some(base) = self.relative_base else {
            return Ok(Encoding::SelfRelative);
        };
        let base = space.u64(base)?;
        // The kernel image is far below 2 GiB: plain offsets are never negative, but with per-CPU
        // offsets all others are.
        let negative = offsets.chunks_exact(4).filter(|offset| offset[3] & 0x80 != 0);
        let per_cpu = 2 * negative.count() > offsets.len() / 4;
        Ok(if per_cpu { Encoding::PerCpu(base) } else { Encoding::Unsigned(base) })
    }
}

impl Encoding {
    /// The address of the symbol whose `offset` is stored at `at`.
    fn address(&self, offset: i32, at: u64) -> u64 {
        let signed = i64::from(offset);
        match *self {
            Self::SelfRelative => at.wrapping_add_signed(signed),
            Self::Unsigned(base) => base.wrapping_add(u64::from(offset.cast_unsigned())),
            Self::PerCpu(_) if offset >= 0 => signed.cast_unsigned(),
            Self::PerCpu(base) => base.wrapping_add_signed(-1 - signed),
        }
    }
}

fn damaged(address: u64, reason: String) -> SymbolError {
    SymbolError::Damaged { address, reason }
}

/// The strings that token numbers stand for.
pub(super) struct Tokens(Vec<Vec<u8>>);

impl Tokens {
    fn read(space: &AddressSpace, tables: &Tables) -> Result<Self, SymbolError> {
        let index = space.bytes(tables.token_index, 2 * TOKENS)?;
        let table = space
            .image(tables.token_table..tables.token_table.saturating_add(MAX_TOKEN_TABLE as u64));
        Self::new(&table, &index)
            .ok_or_else(|| damaged(tables.token_table, "a token has no end".to_owned()))
    }

    /// From the bytes of the two tables.
    pub(super) fn new(table: &[u8], index: &[u8]) -> Option<Self> {
        (0..TOKENS)
            .map(|token| {
                let at = u16_at(index, 2 * token)?;
                c_string(table, at.into()).map(<[u8]>::to_vec)
            })
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Expands the name at the start of `names` into `name`; gives what follows it.
    pub(super) fn expand<'a>(&self, names: &'a [u8], name: &mut Vec<u8>) -> Option<&'a [u8]> {
        let (length, rest) = name_length(names)?;
        let (tokens, rest) = rest.split_at_checked(length)?;
        name.clear();
        for token in tokens {
            name.extend_from_slice(&self.0[usize::from(*token)]);
        }
        Some(rest)
    }
}

/// The length of the name at the start of `names`, in tokens, and the bytes after it.
pub(super) fn name_length(names: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = names.split_first()?;
    if first & 0x80 == 0 {
        return Some((first.into(), rest));
    }
    let (&second, rest) = rest.split_first()?;
    Some((usize::from(first & 0x7f) | usize::from(second) << 7, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_encodings_of_an_offset() {
        let base = 0xffff_ffff_8100_0000;
        assert_eq!(Encoding::Unsigned(base).address(0x10, 0), base + 0x10);
        assert_eq!(Encoding::PerCpu(base).address(0x1000, 0), 0x1000);
        assert_eq!(Encoding::PerCpu(base).address(-1, 0), base);
        assert_eq!(Encoding::PerCpu(base).address(-17, 0), base + 16);
        assert_eq!(Encoding::SelfRelative.address(-16, base), base - 16);
    }

    #[test]
    fn a_length_of_two_bytes_is_little_end_first() {
        assert_eq!(name_length(&[0x85, 0x02]).unwrap().0, 5 | 2 << 7);
        assert_eq!(name_length(&[0x05, 0x02]).unwrap().0, 5);
        assert!(name_length(&[0x85]).is_none());
        assert!(name_length(&[]).is_none());
    }
}
