//! Where things stand in a scenario file.

use std::fmt;
use std::ops::Range;

use serde_saphyr::Location;

/// A scenario file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as people should see it.
    pub name: String,
    /// The text.
    pub text: String,
}

/// A place in a [`Source`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Length in bytes; 0 where only the start is known.
    pub length: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        let length = location.span().byte_len().unwrap_or(0);
        Self {
            line: u32::try_from(location.line()).unwrap_or(u32::MAX).max(1),
            column: u32::try_from(location.column()).unwrap_or(u32::MAX).max(1),
            length: usize::try_from(length).unwrap_or(0),
        }
    }
}

impl Place {
    /// The bytes of `text` that are meant. The parser may point behind the end of a text: then
    /// its end is meant.
    pub fn range(self, text: &str) -> Range<usize> {
        let lines_before = (self.line as usize).saturating_sub(1);
        let columns_before = (self.column as usize).saturating_sub(1);
        let line: usize = text.split_inclusive('\n').take(lines_before).map(str::len).sum();
        let rest = text.get(line..).unwrap_or_default();
        let start = line + rest.chars().take(columns_before).map(char::len_utf8).sum::<usize>();
        start..text.floor_char_boundary(start.saturating_add(self.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again_in_its_text() {
        let text = "name: ä\nsteps: [x]\n";
        let place = Place { line: 2, column: 8, length: 3 };
        assert_eq!(&text[place.range(text)], "[x]");
    }

    #[test]
    fn a_place_behind_the_end_is_the_end() {
        let place = Place { line: 9, column: 9, length: 9 };
        assert_eq!(place.range("a\nb"), 3..3);
        assert_eq!(place.range(""), 0..0);
    }
}
