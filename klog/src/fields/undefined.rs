//! Undefined behaviour: `lib/ubsan.c`.

use serde::Serialize;

/// What UBSAN says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Undefined {
    /// Source file, line and column: `lib/x.c:12:34`.
    pub place: Option<String>,
    /// What was undefined, in the kernel's words: `shift exponent 64 is too large for 32-bit type 'int'`.
    pub detail: Option<String>,
}

pub(super) fn read(lines: &[&str]) -> Option<Undefined> {
    let at = lines.iter().position(|line| line.contains("UBSAN: "))?;
    let place = lines[at].rsplit_once(" in ").map(|(_, place)| place.to_owned());
    let detail =
        lines[at + 1..].first().filter(|line| !line.starts_with("CPU: ") && !line.is_empty());
    let found = Undefined { place, detail: detail.map(|line| (*line).to_owned()) };
    (found != Undefined::default()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_and_detail_are_read() {
        let got = read(&[
            "UBSAN: shift-out-of-bounds in a.c:1:2",
            "shift exponent 64 is too large",
            "CPU: 0 PID: 1",
        ]);
        let got = got.unwrap();
        assert_eq!(got.place.as_deref(), Some("a.c:1:2"));
        assert_eq!(got.detail.as_deref(), Some("shift exponent 64 is too large"));
        assert_eq!(read(&["UBSAN: x in a.c:1:2", "CPU: 0 PID: 1"]).unwrap().detail, None);
    }
}
