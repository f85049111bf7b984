//! Bytes in JSON: readable where they are UTF-8, exact where they are not.

use serde::{Deserialize, Serialize};

/// A chunk of a byte stream. Text stays text; other bytes are carried as numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Data {
    /// The chunk is valid UTF-8.
    Text(String),
    /// The chunk is not valid UTF-8.
    Raw(Vec<u8>),
}

impl Data {
    /// The chunk's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Raw(error.into_bytes()), Self::Text)
    }
}

impl From<&[u8]> for Data {
    fn from(bytes: &[u8]) -> Self {
        Self::from(bytes.to_vec())
    }
}
