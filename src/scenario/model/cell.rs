//! One cell of a scenario's matrix.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The axis of kernels, which `-k` on the command line takes the place of.
pub const KERNEL_AXIS: &str = "kernel";

/// A value for each axis, in the order of the axes; empty for a scenario without a matrix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell(Vec<(String, String)>);

impl Cell {
    /// The cell with these axes and values.
    pub fn new(values: Vec<(String, String)>) -> Self {
        Self(values)
    }

    /// Whether there is no matrix.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value on `axis`, where the cell has one.
    pub fn get(&self, axis: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == axis).map(|(_, value)| value.as_str())
    }

    /// The same cell without `axis`.
    #[must_use]
    pub fn without(&self, axis: &str) -> Self {
        Self(self.0.iter().filter(|(name, _)| name != axis).cloned().collect())
    }

    /// Whether it has all values of `wanted`.
    pub fn has(&self, wanted: &Self) -> bool {
        wanted.0.iter().all(|(axis, value)| self.get(axis) == Some(value))
    }

    /// Axes and values, as results record them.
    pub fn map(&self) -> BTreeMap<String, String> {
        self.0.iter().cloned().collect()
    }

    /// The axes and values in words that [`FromStr`] reads: `cpus=1,memory=1GiB`.
    pub fn words(&self) -> String {
        let words: Vec<String> =
            self.0.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
        words.join(",")
    }
}

/// What stands behind a scenario's id: `[cpus=1,memory=1GiB]`, or nothing.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() { Ok(()) } else { write!(f, "[{}]", self.words()) }
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let value = |word: &str| {
            // Values may have a `=` of their own, axes have none.
            let (axis, value) = word.split_once('=')?;
            (!axis.is_empty()).then(|| (axis.to_owned(), value.to_owned()))
        };
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let values: Option<Vec<_>> = bare.split(',').map(value).collect();
        values.map(Self).ok_or_else(|| {
            format!("`{text}` is not a cell: write AXIS=VALUE, joined by commas, as in test names")
        })
    }
}

/// A value of an axis as ids and directories can have it: the text itself, with `_` for what would be
/// taken for a part of the id or of a path.
pub fn label(text: &str) -> String {
    let apart = |c: char| matches!(c, '/' | '\\' | ',' | '[' | ']' | '#') || c.is_control();
    let plain = |c: char| if apart(c) || c.is_whitespace() { '_' } else { c };
    let label: String = text.trim().chars().map(plain).collect();
    if label.is_empty() { "none".to_owned() } else { label }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_reads_what_it_prints() {
        for text in ["cpus=1", "kernel=debian,cpus=1,cmdline=a=b"] {
            let cell: Cell = text.parse().unwrap();
            assert_eq!(cell.words(), text);
            assert_eq!(cell.to_string().parse::<Cell>().unwrap(), cell);
        }
        assert!("cpus".parse::<Cell>().is_err() && "=1".parse::<Cell>().is_err());
        assert_eq!(Cell::default().to_string(), "");
    }

    #[test]
    fn a_part_of_a_cell_selects_it() {
        let cell: Cell = "kernel=debian,cpus=1".parse().unwrap();
        assert!(cell.has(&"cpus=1".parse().unwrap()) && !cell.has(&"cpus=2".parse().unwrap()));
        assert!(!cell.has(&"memory=1GiB".parse().unwrap()));
        assert_eq!(cell.without(KERNEL_AXIS).to_string(), "[cpus=1]");
    }

    #[test]
    fn a_label_breaks_neither_ids_nor_paths() {
        assert_eq!(label("../linux#1, a[b]"), ".._linux_1__a_b_");
        assert_eq!(label("slub_debug=FZ page_poison=1"), "slub_debug=FZ_page_poison=1");
        assert_eq!(label(" "), "none");
    }
}
