//! Addresses as people and JSON see them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An address or register value. Its JSON form is a string like `"0xffffffff81000000"`: a JSON number
/// of that size is rounded by most readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address(pub u64);

impl From<u64> for Address {
    fn from(value: u64) -> Self {
        Self(value)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:#x}", self.0))
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(Self).ok_or_else(|| {
            de::Error::custom(format!("`{text}` is not a hexadecimal value like \"0x1000\""))
        })
    }
}

/// Reads `0x...` in hexadecimal.
fn parse(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_json_whole() {
        let json = serde_json::to_string(&Address(u64::MAX)).unwrap();
        assert_eq!(json, "\"0xffffffffffffffff\"");
        assert_eq!(serde_json::from_str::<Address>(&json).unwrap(), Address(u64::MAX));
    }

    #[test]
    fn a_number_without_its_prefix_is_refused() {
        assert!(serde_json::from_str::<Address>("\"1000\"").is_err());
    }
}
