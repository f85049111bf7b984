//! Copies of files with holes, hashed on the way.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

/// Copied at once; pieces of zeros stay holes.
const PIECE: usize = 64 << 10;
static ZEROS: [u8; PIECE] = [0; PIECE];

/// Copies the first `length` bytes of `from`, from its start, into the empty file `to`; gives their SHA-256, hexadecimal.
/// A file that is shorter by now is an error, not an end.
pub(super) fn copy(from: &File, to: &File, length: u64) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut offset = 0;
    while offset < length {
        let left = usize::try_from(length - offset).unwrap_or(usize::MAX);
        let piece = &mut piece[..left.min(PIECE)];
        from.read_exact_at(piece, offset)?;
        hasher.update(&piece);
        // A comparison of slices is one of memory, and takes no time.
        if *piece != ZEROS[..piece.len()] {
            to.write_all_at(piece, offset)?;
        }
        offset += piece.len() as u64;
    }
    to.set_len(length)?;
    Ok(hex(hasher))
}

/// Writes `bytes` to `to`; gives their SHA-256.
pub(super) fn write(mut to: &File, bytes: &[u8]) -> io::Result<String> {
    to.write_all(bytes)?;
    Ok(hex(Sha256::new().chain_update(bytes)))
}

/// All of `from`, `most` bytes at most, and their SHA-256.
pub(super) fn read(from: &File, most: u64) -> io::Result<(Vec<u8>, String)> {
    let mut bytes = Vec::new();
    from.take(most).read_to_end(&mut bytes)?;
    let hash = hex(Sha256::new().chain_update(&bytes));
    Ok((bytes, hash))
}

fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_copy_has_the_bytes_the_hash_and_the_holes() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        from.write_all_at(b"abc", 8 << 20).unwrap();
        from.set_len((8 << 20) + 100).unwrap();
        let hash = copy(&from, &to, (8 << 20) + 100).unwrap();
        let (bytes, again) = read(&to, 1 << 30).unwrap();
        assert_eq!((hash, bytes.len()), (again, (8 << 20) + 100));
        assert_eq!(&bytes[8 << 20..][..4], b"abc\0");
        assert!(to.metadata().unwrap().blocks() * 512 < 1 << 20);
        assert!(copy(&from, &to, (8 << 20) + 101).is_err(), "it was cut");
    }

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        let hash = write(&tempfile::tempfile().unwrap(), b"abc").unwrap();
        assert_eq!(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
