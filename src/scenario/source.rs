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

    /// The place of a line and column (from 1) of `text`, a scalar that is here in `file`: plain,
    /// quoted, or a literal block. Where folding or escapes have moved columns, the scalar itself.
    pub fn within(self, file: &str, text: &str, line: usize, column: usize) -> Self {
        let nth = |text: &str, line: usize| {
            text.lines().nth(line.saturating_sub(1)).unwrap_or_default().to_owned()
        };
        let below = u32::try_from(line.saturating_sub(1)).unwrap_or(0);
        let written = nth(file, self.line.saturating_add(below) as usize);
        let meant = nth(text, line);
        let quotes = [0, 1].into_iter().find(|quote| {
            let before = self.column.saturating_add(*quote).saturating_sub(1) as usize;
            written.chars().skip(before).collect::<String>().starts_with(&meant)
        });
        let (Some(quotes), Ok(into)) = (quotes, u32::try_from(column.saturating_sub(1))) else {
            return self;
        };
        Self {
            line: self.line.saturating_add(below),
            column: self.column.saturating_add(quotes).saturating_add(into),
            length: 0,
        }
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
    fn a_place_within_a_scalar_is_found_unless_the_scalar_was_folded() {
        let file = "a: \"1 + \"\nb: |\n  1\n  + (\nc: 'it''s'\n";
        let quoted = Place { line: 1, column: 4, length: 6 };
        assert_eq!(quoted.within(file, "1 + ", 1, 3), Place { line: 1, column: 7, length: 0 });
        let block = Place { line: 3, column: 3, length: 8 };
        assert_eq!(block.within(file, "1\n+ (\n", 2, 3), Place { line: 4, column: 5, length: 0 });
        let escaped = Place { line: 5, column: 4, length: 7 };
        assert_eq!(escaped.within(file, "it's", 1, 4), escaped);
    }

    #[test]
    fn a_place_behind_the_end_is_the_end() {
        let place = Place { line: 9, column: 9, length: 9 };
        assert_eq!(place.range("a\nb"), 3..3);
        assert_eq!(place.range(""), 0..0);
    }
}
