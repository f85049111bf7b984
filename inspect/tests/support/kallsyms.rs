//! Makes kallsyms in each of its layouts.

use inspect::symbols::Tables;

/// The layouts that kernels have had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Before 6.4: offsets and base first, per-CPU symbols with absolute addresses.
    Before6_4,
    /// Since 6.4: offsets and base last.
    Since6_4,
    /// 7.x: every offset is relative to its own place.
    Since7,
}

/// The bytes of all tables, to be placed at `at`, and where each of them is. Names start with their kind.
pub fn make(layout: Layout, symbols: &[(u64, String)], at: u64) -> (Vec<u8>, Tables) {
    let mut out = Vec::new();
    let base = symbols.iter().map(|(address, _)| *address).find(|it| it >> 63 != 0).unwrap();
    let mut offsets = 0;
    let mut relative_base = None;
    if layout == Layout::Before6_4 {
        offsets = at;
        for (address, _) in symbols {
            let per_cpu = address >> 63 == 0;
            let signed = |value: u64| i32::try_from(value).unwrap();
            let offset = if per_cpu { signed(*address) } else { -1 - signed(address - base) };
            out.extend(offset.to_le_bytes());
        }
        align(&mut out);
        relative_base = Some(at + out.len() as u64);
        out.extend(base.to_le_bytes());
    }
    let num_syms = at + out.len() as u64;
    out.extend(u32::try_from(symbols.len()).unwrap().to_le_bytes());
    if layout != Layout::Since7 {
        align(&mut out);
    }
    let names = at + out.len() as u64;
    add_names(&mut out, symbols);
    let (token_table, token_index) = add_tokens(&mut out, at);
    if layout != Layout::Before6_4 {
        offsets = at + out.len() as u64;
        for (number, (address, _)) in symbols.iter().enumerate() {
            let place = offsets + 4 * number as u64;
            let from = if layout == Layout::Since7 { place } else { base };
            let offset = i32::try_from(address.wrapping_sub(from).cast_signed()).unwrap();
            out.extend(offset.to_le_bytes());
        }
        if layout == Layout::Since6_4 {
            align(&mut out);
            relative_base = Some(at + out.len() as u64);
            out.extend(base.to_le_bytes());
        }
    }
    let tables = Tables { num_syms, names, token_table, token_index, offsets, relative_base };
    (out, tables)
}

fn align(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(8), 0);
}

/// Names, then a marker every 256 of them.
fn add_names(out: &mut Vec<u8>, symbols: &[(u64, String)]) {
    let start = out.len();
    let mut markers = Vec::new();
    for (number, (_, name)) in symbols.iter().enumerate() {
        if number % 256 == 0 {
            markers.push(u32::try_from(out.len() - start).unwrap());
        }
        out.push(u8::try_from(name.len()).unwrap());
        out.extend(name.bytes());
    }
    align(out);
    for marker in markers {
        out.extend(marker.to_le_bytes());
    }
    align(out);
}

/// Every token is the character of its number.
fn add_tokens(out: &mut Vec<u8>, at: u64) -> (u64, u64) {
    let table = at + out.len() as u64;
    for token in 0..=255_u8 {
        out.push(if token.is_ascii_graphic() { token } else { b'?' });
        out.push(0);
    }
    align(out);
    let index = at + out.len() as u64;
    for token in 0..256_u16 {
        out.extend((token * 2).to_le_bytes());
    }
    (table, index)
}
