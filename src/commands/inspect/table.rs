//! Tables with aligned columns.

use std::io::{self, Write};

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Writes rows under headings, each column as wide as its widest cell.
///
/// # Errors
/// When `out` fails.
pub fn write<const N: usize>(
    out: &mut impl Write,
    columns: [(&str, Align); N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([columns[column].0.len()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let headings = columns.map(|(heading, _)| heading.to_owned());
    for row in std::iter::once(&headings).chain(rows) {
        let cells =
            row.iter().zip(widths).zip(columns).map(|((cell, width), (_, align))| match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut out = Vec::new();
        let rows = [["1".to_owned(), "init".to_owned()], ["1234".to_owned(), "x".to_owned()]];
        write(&mut out, [("PID", Align::Right), ("NAME", Align::Left)], &rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), " PID  NAME\n   1  init\n1234  x\n");
    }
}
