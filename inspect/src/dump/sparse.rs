//! Copies guest memory into a file that has holes where memory holds zeros.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::DumpError;
use crate::memory::{MemoryError, PhysicalMemory};

/// Holes are kept at this size.
pub(super) const PAGE: u64 = 4096;
/// Bytes copied at once.
const CHUNK: u64 = 1 << 20;
const ZEROS: [u8; 4096] = [0; 4096];

/// Which side of a copy failed.
pub(super) enum CopyError {
    Io(io::Error),
    Memory(MemoryError),
}

impl From<io::Error> for CopyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl CopyError {
    /// The error of writing the file at `path`.
    pub fn at(self, path: &Path) -> DumpError {
        match self {
            Self::Io(source) => DumpError::Io { action: "write", path: path.into(), source },
            Self::Memory(source) => DumpError::Memory { path: path.into(), source },
        }
    }
}

/// Copies what is not zero; the rest stays a hole. Gives the number of bytes written.
pub(super) fn copy_range(
    file: &File,
    memory: &dyn PhysicalMemory,
    range: &Range<u64>,
    file_offset: u64,
) -> Result<u64, CopyError> {
    let mut written = 0;
    let mut from = range.start;
    let mut chunk = Vec::new();
    while let Some(data) = memory.next_data(from).filter(|data| data.start < range.end) {
        let start = (data.start & !(PAGE - 1)).max(range.start);
        let end = data.end.min(range.end).min(start.saturating_add(CHUNK));
        chunk.resize(crate::bytes::index(end - start), 0);
        memory.read(start, &mut chunk).map_err(CopyError::Memory)?;
        written += write_sparse(file, &chunk, file_offset + (start - range.start))?;
        from = end;
    }
    Ok(written)
}

/// Writes each run of pages that hold anything.
fn write_sparse(file: &File, chunk: &[u8], offset: u64) -> io::Result<u64> {
    let mut written = 0;
    let mut at = 0;
    while at < chunk.len() {
        let run = run_length(&chunk[at..]);
        if run > 0 {
            file.write_all_at(&chunk[at..at + run], offset + at as u64)?;
            written += run as u64;
        }
        at += run + ZEROS.len();
    }
    Ok(written)
}

/// Bytes up to the first page of zeros.
fn run_length(bytes: &[u8]) -> usize {
    let pages = bytes.chunks(ZEROS.len());
    pages.take_while(|page| **page != ZEROS[..page.len()]).map(<[u8]>::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_at_a_page_of_zeros() {
        let mut bytes = vec![1; 4096];
        bytes.extend([0; 4096]);
        assert_eq!(run_length(&bytes), 4096);
        assert_eq!(run_length(&bytes[4096..]), 0);
    }
}
