//! The bytes behind guest memory: a file, a mapping, a vector.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{SeekFrom, seek};

/// Random access to the bytes of a dump. Implement it for a mapping of guest RAM to inspect a guest
/// that still runs or is paused.
pub trait ByteSource: Send + Sync + Debug {
    /// Length in bytes.
    fn length(&self) -> u64;

    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// When not all of the range can be read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// The next range at or after `from` that may hold anything but zeros. A sparse file knows its
    /// holes; by default everything counts as data.
    fn next_data(&self, from: u64) -> Option<Range<u64>> {
        (from < self.length()).then(|| from..self.length())
    }
}

impl ByteSource for Vec<u8> {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = crate::bytes::index(offset);
        let bytes = start
            .checked_add(buffer.len())
            .and_then(|end| self.get(start..end))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

/// A file read with `pread`. Not mapped: a file that shrinks meanwhile is an error, not a signal.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    length: u64,
}

impl FileSource {
    /// Opens `path` for reading.
    ///
    /// # Errors
    /// When the host does not let us.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::new(File::open(path)?)
    }

    /// Reads from an open file.
    ///
    /// # Errors
    /// When its length cannot be found out.
    pub fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }
}

impl ByteSource for FileSource {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn next_data(&self, from: u64) -> Option<Range<u64>> {
        if from >= self.length {
            return None;
        }
        match seek(&self.file, SeekFrom::Data(from)) {
            Ok(start) => {
                let end = seek(&self.file, SeekFrom::Hole(start)).unwrap_or(self.length);
                Some(start..end.clamp(start, self.length))
            }
            // No data from here to the end of the file.
            Err(rustix::io::Errno::NXIO) => None,
            // A file system without holes.
            Err(_) => Some(from..self.length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_past_the_end_is_an_error() {
        let bytes = vec![1, 2, 3];
        let mut two = [0; 2];
        assert!(bytes.read_at(1, &mut two).is_ok());
        assert_eq!(two, [2, 3]);
        assert!(bytes.read_at(2, &mut two).is_err());
        assert!(bytes.read_at(u64::MAX, &mut two).is_err());
    }

    #[test]
    fn the_data_of_a_sparse_file_is_found_behind_its_hole() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8 << 20).unwrap();
        file.write_at(b"data", 4 << 20).unwrap();
        let source = FileSource::new(file).unwrap();
        let data = source.next_data(0).unwrap();
        assert!(data.contains(&(4 << 20)), "{data:?}");
        assert_eq!(source.next_data(source.length()), None);
    }
}
