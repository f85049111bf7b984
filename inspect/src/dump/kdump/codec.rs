//! Pages out of the forms that makedumpfile stores them in.

use flate2::{Decompress, FlushDecompress, Status};

use super::{ZLIB, lzo};

/// `DUMP_DH_COMPRESSED_LZO`, `_SNAPPY` and `_ZSTD`.
const LZO: u32 = 2;
const SNAPPY: u32 = 4;
const ZSTD: u32 = 0x20;
const METHODS: u32 = ZLIB | LZO | SNAPPY | ZSTD;

/// The page that is stored as `content`, of `length` bytes; `flags` say how.
///
/// # Errors
/// What is wrong with it.
pub(super) fn unpack(flags: u32, content: &[u8], length: usize) -> Result<Vec<u8>, String> {
    let page = match flags & METHODS {
        0 => content.to_vec(),
        ZLIB => zlib(content, length)?,
        LZO => lzo::unpack(content, length).map_err(|error| format!("LZO: {error}"))?,
        SNAPPY => snappy(content, length)?,
        ZSTD => {
            zstd::bulk::decompress(content, length).map_err(|error| format!("zstd: {error}"))?
        }
        other => return Err(format!("compression {other:#x} is not known")),
    };
    if page.len() != length {
        return Err(format!("{} bytes instead of {length}", page.len()));
    }
    Ok(page)
}

fn zlib(content: &[u8], length: usize) -> Result<Vec<u8>, String> {
    let mut page = Vec::with_capacity(length);
    let status = Decompress::new(true).decompress_vec(content, &mut page, FlushDecompress::Finish);
    match status {
        Ok(Status::StreamEnd) => Ok(page),
        Ok(_) => Err("zlib: the stream does not end with the page".to_owned()),
        Err(error) => Err(format!("zlib: {error}")),
    }
}

fn snappy(content: &[u8], length: usize) -> Result<Vec<u8>, String> {
    let failed = |error| format!("snappy: {error}");
    // Checked before anything is allocated: the length is whatever the file says.
    if snap::raw::decompress_len(content).map_err(failed)? != length {
        return Err("snappy: not a page".to_owned());
    }
    snap::raw::Decoder::new().decompress_vec(content).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 4096;

    fn page() -> Vec<u8> {
        (0..PAGE).map(|at| u8::try_from(at / 7 % 251).unwrap()).collect()
    }

    fn packed() -> [(u32, Vec<u8>); 5] {
        let page = page();
        let mut zlib = flate2::Compress::new(flate2::Compression::fast(), true);
        let mut deflated = Vec::with_capacity(2 * PAGE);
        zlib.compress_vec(&page, &mut deflated, flate2::FlushCompress::Finish).unwrap();
        [
            (0, page.clone()),
            (ZLIB, deflated),
            (LZO, lzokay_native::compress(&page).unwrap()),
            (SNAPPY, snap::raw::Encoder::new().compress_vec(&page).unwrap()),
            (ZSTD, zstd::bulk::compress(&page, 1).unwrap()),
        ]
    }

    #[test]
    fn a_page_comes_out_of_every_form() {
        for (flags, content) in packed() {
            assert_eq!(unpack(flags, &content, PAGE).as_deref(), Ok(&page()[..]), "{flags:#x}");
        }
    }

    #[test]
    fn damage_is_an_error_or_another_page_of_that_size() {
        for (flags, content) in packed() {
            for at in 0..content.len() {
                let mut damaged = content.clone();
                damaged[at] ^= 0x55;
                let page = unpack(flags, &damaged, PAGE);
                assert!(page.is_err() || page.is_ok_and(|page| page.len() == PAGE), "{flags:#x}");
                assert!(unpack(flags, &content[..at], PAGE).is_err(), "{flags:#x}, {at} bytes");
            }
        }
        assert!(unpack(0x40, &[], 0).is_ok(), "flags that are no method");
        assert!(unpack(ZLIB | LZO, &page(), PAGE).unwrap_err().contains("not known"));
    }
}
