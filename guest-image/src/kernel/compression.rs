//! The compressions that the kernel's build uses for its payload and for modules.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;
use liblzma::stream::Stream;

/// How a kernel payload or a module is compressed.
///
/// The magic bytes are those of the kernel's `lib/decompress.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// `CONFIG_KERNEL_GZIP`.
    Gzip,
    /// `CONFIG_KERNEL_XZ`.
    Xz,
    /// `CONFIG_KERNEL_LZMA`, the format before xz.
    Lzma,
    /// `CONFIG_KERNEL_BZIP2`.
    Bzip2,
    /// `CONFIG_KERNEL_LZ4`: the legacy frame format.
    Lz4,
    /// `CONFIG_KERNEL_ZSTD`.
    Zstd,
}

/// Memory that an lzma or xz dictionary may take, in bytes.
const LZMA_MEMORY: u64 = 512 << 20;

/// Window sizes up to 2^27 bytes: what the kernel's own zstd (`ZSTD_WINDOWSIZE_MAX`) takes.
const ZSTD_WINDOW_LOG: u32 = 27;

impl Compression {
    const MAGICS: [(&'static [u8], Self); 6] = [
        (&[0x1f, 0x8b], Self::Gzip),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], Self::Xz),
        (&[0x5d, 0, 0], Self::Lzma),
        (b"BZh", Self::Bzip2),
        (&LZ4_LEGACY_MAGIC.to_le_bytes(), Self::Lz4),
        (&[0x28, 0xb5, 0x2f, 0xfd], Self::Zstd),
    ];

    /// The compression whose magic `bytes` start with.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        Self::MAGICS
            .iter()
            .find(|(magic, _)| bytes.starts_with(magic))
            .map(|&(_, compression)| compression)
    }

    /// Decompresses the first stream in `bytes` (the kernel's build appends the payload's size)
    /// to at most `limit` bytes.
    ///
    /// # Errors
    /// When the data is damaged, or expands beyond `limit`.
    pub fn decompress(self, bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip => read_all(flate2::read::GzDecoder::new(bytes), limit),
            Self::Xz => read_all(
                XzDecoder::new_stream(bytes, Stream::new_stream_decoder(LZMA_MEMORY, 0)?),
                limit,
            ),
            Self::Lzma => read_all(
                XzDecoder::new_stream(bytes, Stream::new_lzma_decoder(LZMA_MEMORY)?),
                limit,
            ),
            Self::Bzip2 => read_all(bzip2::read::BzDecoder::new(bytes), limit),
            Self::Lz4 => lz4_legacy(bytes, limit),
            Self::Zstd => read_all(zstd(bytes)?, limit),
        }
    }
}

/// Every member of a gzip file, to at most `limit` bytes.
pub fn gunzip(bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    read_all(MultiGzDecoder::new(bytes), limit)
}

fn zstd(bytes: &[u8]) -> io::Result<impl Read> {
    let mut decoder = zstd::Decoder::with_buffer(bytes)?.single_frame();
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

fn read_all(from: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    from.take(limit.saturating_add(1)).read_to_end(&mut out)?;
    within(limit, &out)?;
    Ok(out)
}

fn within(limit: u64, out: &[u8]) -> io::Result<()> {
    if u64::try_from(out.len()).is_ok_and(|len| len <= limit) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("expands to more than {limit} bytes")))
}

/// Start of an LZ4 legacy frame (lz4's `doc/lz4_Frame_format.md`, "Legacy frame").
const LZ4_LEGACY_MAGIC: u32 = 0x184C_2102;

/// What one block of a legacy frame expands to at most, in bytes (same document).
const LZ4_LEGACY_BLOCK: usize = 8 << 20;

/// Blocks with a 32-bit size before each; ends where the kernel's build appended the payload's size.
fn lz4_legacy(bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some((size, tail)) = rest.split_first_chunk::<4>() {
        rest = tail;
        let size = u32::from_le_bytes(*size);
        if size == LZ4_LEGACY_MAGIC {
            continue;
        }
        if tail.is_empty() {
            break;
        }
        let block = usize::try_from(size).ok().and_then(|size| tail.split_at_checked(size));
        let (block, tail) = block.ok_or_else(|| cut_short(size, tail.len()))?;
        out.extend(lz4_flex::block::decompress(block, LZ4_LEGACY_BLOCK).map_err(io::Error::other)?);
        within(limit, &out)?;
        rest = tail;
    }
    Ok(out)
}

fn cut_short(size: u32, left: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        format!("an LZ4 block of {size} bytes, but {left} are left"),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TEXT: &[u8] = b"to be, or not to be, that is the question, or not to be";

    /// The size that the kernel's build appends to what it compresses.
    fn with_size(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.extend(u32::try_from(TEXT.len()).unwrap().to_le_bytes());
        bytes
    }

    fn lz4(text: &[u8]) -> Vec<u8> {
        let block = lz4_flex::block::compress(text);
        let mut bytes = LZ4_LEGACY_MAGIC.to_le_bytes().to_vec();
        bytes.extend(u32::try_from(block.len()).unwrap().to_le_bytes());
        bytes.extend(block);
        bytes
    }

    fn samples() -> Vec<(Compression, Vec<u8>)> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(TEXT).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
        xz.write_all(TEXT).unwrap();
        let options = liblzma::stream::LzmaOptions::new_preset(6).unwrap();
        let stream = Stream::new_lzma_encoder(&options).unwrap();
        let mut lzma = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
        lzma.write_all(TEXT).unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
        bzip2.write_all(TEXT).unwrap();
        vec![
            (Compression::Gzip, gzip.finish().unwrap()),
            (Compression::Xz, with_size(xz.finish().unwrap())),
            (Compression::Lzma, with_size(lzma.finish().unwrap())),
            (Compression::Bzip2, with_size(bzip2.finish().unwrap())),
            (Compression::Lz4, with_size(lz4(TEXT))),
            (Compression::Zstd, with_size(zstd::encode_all(TEXT, 3).unwrap())),
        ]
    }

    #[test]
    fn every_compression_is_detected_and_undone_with_the_size_appended() {
        for (compression, bytes) in samples() {
            assert_eq!(Compression::detect(&bytes), Some(compression));
            let text = compression.decompress(&bytes, 1 << 20);
            assert_eq!(
                text.unwrap_or_else(|e| panic!("{compression:?}: {e}")),
                TEXT,
                "{compression:?}"
            );
        }
    }

    #[test]
    fn expansion_beyond_the_limit_is_an_error() {
        for (compression, bytes) in samples() {
            let error = compression.decompress(&bytes, 10).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge, "{compression:?}");
        }
    }

    #[test]
    fn data_cut_in_the_middle_is_an_error_and_never_a_panic() {
        for (compression, bytes) in samples() {
            for len in 0..bytes.len() / 2 {
                let short = compression.decompress(&bytes[..len], 1 << 20);
                assert!(
                    short.is_err() || short.is_ok_and(|t| t.len() < TEXT.len()),
                    "{compression:?} cut at {len}"
                );
            }
        }
    }

    #[test]
    fn text_is_no_compression() {
        assert_eq!(Compression::detect(TEXT), None);
        assert_eq!(Compression::detect(&[]), None);
    }
}
