//! Uses of uninitialised memory: `mm/kmsan/report.c`.

use serde::Serialize;

use super::text::{after, hex_after, number_after};

/// What KMSAN says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Uninitialised {
    /// The uninitialised bytes: first, last, and how many were looked at.
    pub bytes: Option<Bytes>,
    /// Size of the access in bytes.
    pub size: Option<u64>,
    /// Its address, as the log shows it.
    pub address: Option<u64>,
    /// The user-space address that it was copied to.
    pub copied_to: Option<u64>,
    /// Where the memory comes from: `created`, `stored to memory`, a local variable; in the order of the log.
    pub origins: Vec<String>,
}

/// `Bytes 0-3 of 16 are uninitialized`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// Size of the whole.
    pub of: Option<u64>,
}

pub(super) fn read(lines: &[&str]) -> Option<Uninitialised> {
    let found = Uninitialised {
        bytes: lines.iter().find_map(|line| bytes(line)),
        size: after(lines, "Memory access of size ").and_then(|rest| number_after(rest, "")),
        address: after(lines, "Memory access of size ")
            .and_then(|rest| hex_after(rest, "starts at ")),
        copied_to: after(lines, "Data copied to user address ")
            .and_then(|rest| hex_after(rest, "")),
        origins: lines.iter().filter_map(|line| origin(line)).collect(),
    };
    (found != Uninitialised::default()).then_some(found)
}

fn bytes(line: &str) -> Option<Bytes> {
    let rest = line.strip_prefix("Bytes ").or_else(|| line.strip_prefix("Byte "))?;
    line.contains("uninitialized").then_some(())?;
    let first = number_after(rest, "")?;
    let last = rest.split_once('-').and_then(|(_, rest)| number_after(rest, "")).unwrap_or(first);
    Some(Bytes { first, last, of: number_after(rest, " of ") })
}

/// `Uninit was created at:`, `Local variable x created at:`
fn origin(line: &str) -> Option<String> {
    let text = line.strip_suffix(" at:")?;
    let local = text.starts_with("Local variable ").then_some(text);
    text.strip_prefix("Uninit was ").or(local).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_access_and_origins_are_read() {
        let got = read(&[
            "Uninit was stored to memory at:",
            "Local variable x created at:",
            "Bytes 4-7 of 16 are uninitialized",
            "Memory access of size 16 starts at ffff888012345678",
            "Data copied to user address 0000000020000000",
        ])
        .unwrap();
        assert_eq!(got.bytes, Some(Bytes { first: 4, last: 7, of: Some(16) }));
        assert_eq!((got.size, got.address), (Some(16), Some(0xffff_8880_1234_5678)));
        assert_eq!(got.origins, ["stored to memory", "Local variable x created"]);
        assert_eq!(read(&["CPU: 0"]), None);
    }
}
