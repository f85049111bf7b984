//! The state of a machine as bytes.
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | `kharnkvm` |
//! | 8 | 4 | version of the format, little-endian as all numbers here |
//! | 12 | 4 | CRC-32 of what follows the header |
//! | 16 | 8 | length of what follows the header |
//! | 24 | | the state, as JSON |

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use super::error::SnapshotError;
use super::state::State;

const MAGIC: [u8; 8] = *b"kharnkvm";
/// Goes up with every change of what a state holds, or of what its parts mean.
const VERSION: u32 = 1;
const HEADER: usize = 24;

/// A processor takes 40 KiB, and there are 254 at most.
const MOST: u64 = 64 << 20;

/// The bytes of `state`.
pub(super) fn encode(state: &State) -> Result<Vec<u8>, SnapshotError> {
    let body = to_json(state)?;
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(crc32fast::hash(&body).to_le_bytes());
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(body);
    Ok(bytes)
}

/// The state in `bytes`, which are checked first.
pub(super) fn decode(bytes: &[u8]) -> Result<State, SnapshotError> {
    let length = || SnapshotError::Length { expected: HEADER as u64, found: bytes.len() as u64 };
    let (magic, rest) = bytes.split_first_chunk().ok_or_else(length)?;
    if *magic != MAGIC {
        return Err(SnapshotError::Magic);
    }
    let (version, rest) = rest.split_first_chunk().ok_or_else(length)?;
    match u32::from_le_bytes(*version) {
        VERSION => {}
        found => return Err(SnapshotError::Version { found, wanted: VERSION }),
    }
    let (checksum, rest) = rest.split_first_chunk().ok_or_else(length)?;
    let (promised, body) = rest.split_first_chunk().ok_or_else(length)?;
    let (expected, found) = (u64::from_le_bytes(*promised), body.len() as u64);
    if expected != found {
        return Err(SnapshotError::Length { expected, found });
    }
    let (expected, found) = (u32::from_le_bytes(*checksum), crc32fast::hash(body));
    if expected != found {
        return Err(SnapshotError::Checksum { expected, found });
    }
    understand(body)
}

/// The structures of KVM among it are filled up with zeros where they are too short. So what was read must
/// give the same bytes again, or something was not what it should be.
pub(crate) fn understand(body: &[u8]) -> Result<State, SnapshotError> {
    let state: State =
        serde_json::from_slice(body).map_err(|error| SnapshotError::Meaning(error.to_string()))?;
    if to_json(&state)? == body {
        Ok(state)
    } else {
        Err(SnapshotError::Meaning("a part of it has another size than here".into()))
    }
}

fn to_json(state: &State) -> Result<Vec<u8>, SnapshotError> {
    serde_json::to_vec(state).map_err(|error| SnapshotError::Meaning(error.to_string()))
}

/// Writes `state` to an empty file.
pub(super) fn write(state: &State, mut file: &File) -> Result<(), SnapshotError> {
    let bytes = encode(state)?;
    file.write_all(&bytes).map_err(|source| SnapshotError::File { done: "written", source })
}

/// Reads the state in `file`, from its start, wherever the file's position is.
pub(super) fn read(file: &File) -> Result<State, SnapshotError> {
    let failed = |source| SnapshotError::File { done: "read", source };
    let length = file.metadata().map_err(failed)?.len();
    if length > MOST {
        return Err(SnapshotError::Length { expected: MOST, found: length });
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other).map_err(failed)?];
    file.read_exact_at(&mut bytes, 0).map_err(failed)?;
    decode(&bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kvm::snapshot::state::example;

    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(crc32fast::hash(body).to_le_bytes());
        bytes.extend((body.len() as u64).to_le_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn a_state_survives_its_bytes() {
        let bytes = encode(&example()).unwrap();
        assert_eq!(encode(&decode(&bytes).unwrap()).unwrap(), bytes);
    }

    #[test]
    fn a_state_of_another_format_is_refused_by_both_numbers() {
        let mut bytes = encode(&example()).unwrap();
        bytes[8] = 77;
        let words = decode(&bytes).unwrap_err().to_string();
        assert!(words.contains("format 77") && words.contains("format 1"), "{words}");
    }

    #[test]
    fn parts_that_are_missing_too_many_or_of_another_size_are_refused() {
        let text = String::from_utf8(encode(&example()).unwrap().split_off(HEADER)).unwrap();
        for (from, to) in [
            ("\"memory\":", "\"memories\":"),
            ("\"memory\":", "\"more\":1,\"memory\":"),
            ("\"regs\":[0,", "\"regs\":["),
            ("\"regs\":[0,", "\"regs\":[0,0,"),
            ("\"tsc_khz\":", "\"tsc_khz\":-"),
            ("{", "["),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            let refusal = decode(&sealed(changed.as_bytes()));
            assert!(matches!(refusal, Err(SnapshotError::Meaning(_))), "{from} {to}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            prop_assert!(decode(&bytes).is_err());
            prop_assert!(decode(&sealed(&bytes)).is_err());
        }

        #[test]
        fn no_change_of_a_state_makes_it_panic_and_what_it_takes_is_what_it_was_given(
            at: prop::sample::Index,
            byte: u8,
            cut: prop::sample::Index,
        ) {
            let mut body = encode(&example()).unwrap().split_off(HEADER);
            let at = at.index(body.len());
            body[at] = byte;
            if let Ok(state) = decode(&sealed(&body)) {
                prop_assert_eq!(&encode(&state).unwrap()[HEADER..], &body[..]);
            }
            body.truncate(cut.index(body.len()));
            prop_assert!(decode(&sealed(&body)).is_err());
        }
    }
}
