//! VMCOREINFO: what the kernel says about itself for crash dumps.
//!
//! Format: lines `KEY=VALUE`; kernel `Documentation/admin-guide/kdump/vmcoreinfo.rst`.

use std::collections::HashMap;

/// The parsed text of a VMCOREINFO note.
#[derive(Debug, Clone)]
pub struct VmcoreInfo {
    text: String,
    values: HashMap<String, String>,
}

impl VmcoreInfo {
    /// Reads the text; lines without `=` are passed over, a NUL ends it.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
        let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let values = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Self { text, values }
    }

    /// The text as found.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value of a plain key: `OSRELEASE`, `BUILD-ID`, `KERNELOFFSET`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// The kernel release, as `uname -r` gives it.
    #[must_use]
    pub fn release(&self) -> Option<&str> {
        self.get("OSRELEASE")
    }

    /// Build-id of the kernel, hexadecimal.
    #[must_use]
    pub fn build_id(&self) -> Option<&str> {
        self.get("BUILD-ID")
    }

    /// Address of a symbol.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<u64> {
        u64::from_str_radix(self.get(&format!("SYMBOL({name})"))?, 16).ok()
    }

    /// A number; the kernel prints some as decimal, some as `0x...`.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        let text = self.get(&format!("NUMBER({name})"))?;
        match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok().map(u64::cast_signed),
            None => text.parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_hexadecimal_and_numbers_signed() {
        let info = VmcoreInfo::parse(
            b"OSRELEASE=6.1\nSYMBOL(x)=ffffffff81000000\nNUMBER(phys_base)=-4096\nNUMBER(v)=0x10\nrubbish\n\0tail",
        );
        assert_eq!(info.release(), Some("6.1"));
        assert_eq!(info.symbol("x"), Some(0xffff_ffff_8100_0000));
        assert_eq!(info.number("phys_base"), Some(-4096));
        assert_eq!(info.number("v"), Some(16));
        assert_eq!(info.symbol("absent"), None);
        assert!(!info.text().contains("tail"));
    }
}
