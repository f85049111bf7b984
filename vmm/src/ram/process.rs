//! RAM that another process maps privately: a copy-on-write copy of a template's.
//!
//! A private mapping cannot be shared, so it is read and written through `/proc/PID/mem`
//! (proc_pid_mem(5)), which a process may do to its own children.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use super::RamError;
use super::mapping::Mapping;

/// Copied at once; a piece of zeros is skipped.
const PIECE: usize = 64 << 10;

/// The RAM as a range of addresses of a process.
#[derive(Debug)]
pub struct ProcessRam {
    /// `/proc/PID/mem`: stays with the process that it was opened for.
    memory: File,
    pid: u32,
    base: u64,
}

impl ProcessRam {
    /// The private mapping of the first `size` bytes of `file` in process `pid`.
    pub fn find(pid: u32, file: &File, size: u64) -> io::Result<Self> {
        let inode = file.metadata()?.ino();
        let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let base = maps
            .lines()
            .find_map(|line| private_mapping(line, inode, size))
            .ok_or_else(|| io::Error::other("it does not map the template's RAM"))?;
        let memory = File::options().read(true).write(true).open(format!("/proc/{pid}/mem"))?;
        Ok(Self { memory, pid, base })
    }

    /// The process, and the address of the RAM in it.
    pub fn whereabouts(&self) -> (u32, u64) {
        (self.pid, self.base)
    }

    /// Reads at `offset`, which must be inside.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.memory.read_exact_at(buffer, self.base + offset).map_err(gone)
    }

    /// Writes at `offset`, which must be inside.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.memory.write_all_at(bytes, self.base + offset).map_err(gone)
    }

    /// Copies all `size` bytes into a fresh mapping.
    pub fn copy_to(&self, mapping: &Mapping, size: u64) -> Result<(), RamError> {
        let mut piece = vec![0; PIECE];
        for offset in (0..size).step_by(PIECE) {
            let left = usize::try_from(size - offset).unwrap_or(PIECE);
            let piece = &mut piece[..left.min(PIECE)];
            self.read(offset, piece)?;
            if piece.iter().any(|byte| *byte != 0) {
                mapping.write(offset, piece)?;
            }
        }
        Ok(())
    }
}

/// A read of the memory of a process that has ended gives no bytes.
fn gone(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::WriteZero => {
            io::Error::other("it has ended, and its memory is gone")
        }
        _ => error,
    }
}

/// The start of the mapping in a line of `/proc/PID/maps` (proc_pid_maps(5):
/// `start-end perms offset dev inode path`), if it is the one.
fn private_mapping(line: &str, inode: u64, size: u64) -> Option<u64> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let end = u64::from_str_radix(end, 16).ok()?;
    let is_private = words.next()?.ends_with('p');
    let offset = u64::from_str_radix(words.next()?, 16).ok()?;
    let is_file = words.nth(1)?.parse() == Ok(inode);
    let fits = end.checked_sub(start)? >= size;
    (is_private && offset == 0 && is_file && fits).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_private_mapping_of_the_whole_file_is_taken() {
        let line = "7f0000000000-7f0000002000 rw-p 00000000 08:01 77   /tmp/memory.img";
        assert_eq!(private_mapping(line, 77, 0x2000), Some(0x7f00_0000_0000));
        assert_eq!(private_mapping(line, 78, 0x2000), None);
        assert_eq!(private_mapping(line, 77, 0x3000), None);
        assert_eq!(private_mapping(&line.replace("rw-p", "rw-s"), 77, 0x2000), None);
        assert_eq!(private_mapping("7f-", 77, 0), None);
    }
}
