//! Reference counts and lists: `lib/refcount.c`, `lib/list_debug.c`.

use serde::Serialize;

/// What was wrong with a reference count or a list, in the kernel's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Corruption {
    /// `underflow; use-after-free`, `prev->next should be …, but was …`.
    pub detail: String,
    /// The address that was expected, where the kernel shows one.
    pub expected: Option<u64>,
    /// The address that was found instead.
    pub found: Option<u64>,
}

pub(super) fn read(lines: &[&str]) -> Option<Corruption> {
    const HEADS: [&str; 3] = ["refcount_t: ", "list_add", "list_del"];
    let line = lines.iter().find(|line| HEADS.iter().any(|head| line.starts_with(head)))?;
    let detail =
        line.strip_prefix("refcount_t: ").or_else(|| Some(line.split_once("corruption")?.1));
    let address = |label: &str| super::text::hex_after(line, label).filter(|&value| value > 0xffff);
    Some(Corruption {
        detail: detail.unwrap_or(line).trim_matches([' ', '.', ',']).to_owned(),
        expected: address("should be ").or_else(|| address("(")),
        found: super::text::hex_after(line, "but was "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_lists_are_read() {
        let got = read(&["refcount_t: underflow; use-after-free."]).unwrap();
        assert_eq!((got.detail.as_str(), got.found), ("underflow; use-after-free", None));
        let line =
            "list_del corruption. prev->next should be ffff888012345678, but was dead000000000100";
        let got = read(&[line]).unwrap();
        assert_eq!(
            (got.expected, got.found),
            (Some(0xffff_8880_1234_5678), Some(0xdead_0000_0000_0100))
        );
    }
}
