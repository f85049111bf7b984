//! A table of symbols, by address and by name.

use std::sync::OnceLock;

use super::SymbolError;
use crate::Address;

/// Symbols of the kernel image or of modules.
#[derive(Debug, Default)]
pub struct Symbols {
    /// All names, one after the other.
    names: Vec<u8>,
    /// Ascending by address.
    entries: Vec<Entry>,
    /// Indices of `entries`, ascending by name; made on the first lookup.
    by_name: OnceLock<Vec<u32>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    address: u64,
    name_at: u32,
    name_length: u16,
    kind: u8,
}

/// One symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Virtual address; for per-CPU variables before 6.15 the offset into the per-CPU area.
    pub address: u64,
    /// Name.
    pub name: &'a str,
    /// Kind, as in nm(1): `T` for code, `D` for data, lower case for local ones.
    pub kind: char,
}

/// An address in terms of the symbol before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location<'a> {
    /// The symbol at or before the address.
    pub symbol: Symbol<'a>,
    /// Bytes from the symbol to the address.
    pub offset: u64,
}

impl Symbols {
    /// Adds a symbol; [`Symbols::seal`] ends the adding.
    pub(crate) fn push(&mut self, address: u64, kind: u8, name: &[u8]) {
        let (Ok(name_at), Ok(name_length)) =
            (u32::try_from(self.names.len()), u16::try_from(name.len()))
        else {
            return;
        };
        self.names.extend_from_slice(name);
        self.entries.push(Entry { address, name_at, name_length, kind });
    }

    /// Sorts the table, which makes it ready for use.
    pub(crate) fn seal(mut self) -> Self {
        self.entries.sort_by_key(|entry| entry.address);
        self
    }

    /// Number of symbols.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All symbols, ascending by address.
    pub fn iter(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.entries.iter().map(|entry| self.symbol(entry))
    }

    /// All symbols of this name.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<Symbol<'_>> {
        let order = self.by_name();
        let bytes = name.as_bytes();
        let start = order.partition_point(|&index| self.name_of(index) < bytes);
        order[start..]
            .iter()
            .take_while(|&&index| self.name_of(index) == bytes)
            .map(|&index| self.symbol(&self.entries[index as usize]))
            .collect()
    }

    /// The address of the only symbol of this name.
    ///
    /// # Errors
    /// [`SymbolError::Unknown`], without suggestions: see [`Symbols::names_like`];
    /// [`SymbolError::Ambiguous`].
    pub fn address(&self, name: &str) -> Result<u64, SymbolError> {
        let found = self.all(name);
        match found.as_slice() {
            [] => Err(SymbolError::Unknown { name: name.into(), nearest: Vec::new() }),
            [only] => Ok(only.address),
            several => Err(SymbolError::Ambiguous {
                name: name.into(),
                addresses: several.iter().map(|symbol| Address(symbol.address)).collect(),
            }),
        }
    }

    /// Names like a wrong one. Looks at every name: for error messages only.
    #[must_use]
    pub fn names_like(&self, wrong: &str) -> Vec<String> {
        crate::suggest::nearest(wrong, self.iter().map(|symbol| symbol.name))
    }

    /// The address of a symbol that some kernels do not have: the only one of its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<u64> {
        match self.all(name).as_slice() {
            [only] => Some(only.address),
            _ => None,
        }
    }

    /// What lies at `address`. Of several symbols at one address the first global one is named.
    #[must_use]
    pub fn at(&self, address: u64) -> Option<Location<'_>> {
        let end = self.entries.partition_point(|entry| entry.address <= address);
        let nearest = self.entries[..end].last()?.address;
        let start = self.entries[..end].partition_point(|entry| entry.address < nearest);
        let same = &self.entries[start..end];
        let global = same.iter().find(|entry| entry.kind.is_ascii_uppercase());
        let symbol = self.symbol(global.or(same.first())?);
        Some(Location { symbol, offset: address - nearest })
    }

    /// The address of the first symbol after `address`.
    #[must_use]
    pub fn next_after(&self, address: u64) -> Option<u64> {
        let index = self.entries.partition_point(|entry| entry.address <= address);
        self.entries.get(index).map(|entry| entry.address)
    }

    fn by_name(&self) -> &[u32] {
        self.by_name.get_or_init(|| {
            let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
            let mut order: Vec<u32> = (0..count).collect();
            order.sort_by_key(|&index| self.name_of(index));
            order
        })
    }

    fn name_of(&self, index: u32) -> &[u8] {
        self.name_bytes(&self.entries[index as usize])
    }

    fn name_bytes(&self, entry: &Entry) -> &[u8] {
        let start = entry.name_at as usize;
        &self.names[start..start + usize::from(entry.name_length)]
    }

    fn symbol(&self, entry: &Entry) -> Symbol<'_> {
        Symbol {
            address: entry.address,
            name: std::str::from_utf8(self.name_bytes(entry)).unwrap_or("<not UTF-8>"),
            kind: char::from(entry.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Symbols {
        let mut table = Symbols::default();
        table.push(0x2000, b't', b"local_alias");
        table.push(0x1000, b'T', b"start");
        table.push(0x2000, b'T', b"function");
        table.push(0x3000, b't', b"twice");
        table.push(0x4000, b't', b"twice");
        table.seal()
    }

    #[test]
    fn an_address_is_named_by_the_global_symbol_before_it() {
        let table = table();
        let location = table.at(0x2010).unwrap();
        assert_eq!((location.symbol.name, location.offset), ("function", 0x10));
        assert!(table.at(0xfff).is_none());
        assert_eq!(table.next_after(0x2010), Some(0x3000));
    }

    #[test]
    fn a_name_with_two_addresses_is_an_error_that_names_both() {
        let error = table().address("twice").unwrap_err().to_string();
        assert!(error.contains("0x3000, 0x4000"), "{error}");
        assert_eq!(table().find("twice"), None);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        assert_eq!(table().names_like("functoin"), ["function"]);
        assert!(table().address("functoin").is_err());
    }
}
