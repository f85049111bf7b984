//! Compression of archives.

use std::io::{self, Write};

use flate2::GzBuilder;

/// How an archive is compressed. The kernel tells by the first bytes of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: the fastest to unpack, above all under emulation, and any kernel takes it.
    #[default]
    None,
    /// gzip; the kernel needs `CONFIG_RD_GZIP`.
    Gzip,
    /// Zstandard; the kernel needs `CONFIG_RD_ZSTD`.
    Zstd,
}

impl Compression {
    /// Compresses `archive`: the same bytes for the same input, padded with zeros to a multiple
    /// of 4, where the kernel looks for the next archive.
    ///
    /// # Errors
    /// Those of the compressor.
    pub fn apply(self, archive: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut bytes = match self {
            Self::None => archive,
            Self::Gzip => gzip(&archive)?,
            Self::Zstd => zstd::bulk::compress(&archive, zstd::DEFAULT_COMPRESSION_LEVEL)?,
        };
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        Ok(bytes)
    }

    /// What file names of such archives end with.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::None => "cpio",
            Self::Gzip => "cpio.gz",
            Self::Zstd => "cpio.zst",
        }
    }
}

fn gzip(archive: &[u8]) -> io::Result<Vec<u8>> {
    let level = flate2::Compression::default();
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), level);
    encoder.write_all(archive)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const INPUT: &[u8] = b"some bytes, and some bytes again, and some bytes again";

    #[test]
    fn nothing_is_lost() {
        let mut unzipped = Vec::new();
        let zipped = Compression::Gzip.apply(INPUT.to_vec()).unwrap();
        flate2::read::GzDecoder::new(&zipped[..]).read_to_end(&mut unzipped).unwrap();
        assert_eq!(unzipped, INPUT);
        let compressed = zstd::bulk::compress(INPUT, zstd::DEFAULT_COMPRESSION_LEVEL).unwrap();
        let padded = Compression::Zstd.apply(INPUT.to_vec()).unwrap();
        assert_eq!(padded[..compressed.len()], compressed);
        assert_eq!(zstd::bulk::decompress(&compressed, 1 << 10).unwrap(), INPUT);
    }

    #[test]
    fn all_are_padded_and_the_same_each_time() {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let bytes = compression.apply(INPUT.to_vec()).unwrap();
            assert_eq!(bytes.len() % 4, 0);
            assert_eq!(bytes, compression.apply(INPUT.to_vec()).unwrap());
        }
    }
}
