//! Guest RAM as the bytes behind a dump.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use inspect::memory::{ByteSource, FileSource};
use vmm::GuestRam;

/// The RAM of a guest, read in place.
#[derive(Debug)]
pub struct RamSource {
    ram: Arc<GuestRam>,
    /// The file behind it, where there is one. It knows its holes, and reading one through it does not
    /// fill it with a page of zeros, as reading the mapping would.
    file: Option<FileSource>,
}

impl RamSource {
    /// The RAM of a machine.
    pub fn new(ram: Arc<GuestRam>) -> Self {
        let file = ram.try_clone_file().and_then(FileSource::new).ok();
        Self { ram, file }
    }
}

impl ByteSource for RamSource {
    fn length(&self) -> u64 {
        self.ram.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match &self.file {
            Some(file) => file.read_at(offset, buffer),
            None => self.ram.read(offset, buffer).map_err(io::Error::other),
        }
    }

    fn next_data(&self, from: u64) -> Option<Range<u64>> {
        match &self.file {
            Some(file) => file.next_data(from),
            None => (from < self.length()).then(|| from..self.length()),
        }
    }
}
