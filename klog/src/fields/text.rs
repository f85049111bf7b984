//! Small readers that the fields share.

use crate::Task;

/// The number behind `label`, decimal.
pub(super) fn number_after(text: &str, label: &str) -> Option<u64> {
    let (_, rest) = text.split_once(label)?;
    let digits = rest.trim_start();
    let len = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..len].parse().ok()
}

/// The number behind `label`, hexadecimal, with or without `0x`.
pub(super) fn hex_after(text: &str, label: &str) -> Option<u64> {
    let (_, rest) = text.split_once(label)?;
    let digits = rest.trim_start();
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    let len = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
    u64::from_str_radix(&digits[..len], 16).ok()
}

/// `comm/123` or `comm:123`; the name may hold the separator.
pub(super) fn task(text: &str, separator: char) -> Option<Task> {
    let (comm, rest) = text.rsplit_once(separator)?;
    let len = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some(Task { comm: comm.to_owned(), pid: rest[..len].parse().ok()? })
}

/// What the first line that holds `needle` says behind it.
pub(super) fn after<'a>(lines: &[&'a str], needle: &str) -> Option<&'a str> {
    lines.iter().find_map(|line| line.split_once(needle).map(|(_, rest)| rest))
}
