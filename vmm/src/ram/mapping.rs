//! RAM that the harness maps: a memfd of its own, or a private copy of a file.

use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use super::RamError;
use super::huge::{self, HUGE_PAGE};

/// Looked at at once.
const PIECE: usize = 64 << 10;

/// A mapping of a file.
#[derive(Debug)]
pub struct Mapping {
    /// What others can map to see the same; none where this is a private copy.
    file: Option<OwnedFd>,
    base: *mut u8,
    size: usize,
}

// SAFETY: the mapping lives as long as the value, and every access goes through raw-pointer copies
// of bytes, which the guest may change at any time; no reference into it is ever made.
unsafe impl Send for Mapping {}
// SAFETY: as above; concurrent copies race only with the guest, and then give stale or torn bytes.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// `size` zero bytes. Nobody can cut the file: that would end whoever maps it.
    pub fn new(size: u64) -> Result<Self, RamError> {
        let create = |source: rustix::io::Errno| RamError::Create { size, source: source.into() };
        let file = memfd_create("kharness-ram", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC)
            .map_err(create)?;
        ftruncate(&file, size).map_err(create)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW).map_err(create)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let (base, length) = map(&file, size, access, MapFlags::SHARED)?;
        huge::advise(base, length);
        Ok(Self { file: Some(file), base, size: length })
    }

    /// A copy-on-write copy of the first `size` bytes of `file`, which must be as long.
    pub fn copy_of(file: &File, size: u64) -> Result<Self, RamError> {
        check_length(file, size)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let (base, length) = map(file, size, access, MapFlags::PRIVATE)?;
        Ok(Self { file: None, base, size: length })
    }

    /// The first `size` bytes of `file` as they are, to be read only.
    pub fn of(file: &File, size: u64) -> Result<Original, RamError> {
        check_length(file, size)?;
        let (base, length) = map(file, size, ProtFlags::READ, MapFlags::SHARED)?;
        Ok(Original(Self { file: None, base, size: length }))
    }

    /// Where it is mapped.
    pub fn address(&self) -> *mut u8 {
        self.base
    }

    /// Gets huge pages for `range`, which a guest is about to use, where the host has them. Of those at its
    /// ends, all is in use then.
    pub fn use_huge_pages(&self, range: Range<u64>) {
        let bound = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(self.size);
        let start = bound(range.start) / HUGE_PAGE * HUGE_PAGE;
        let end =
            bound(range.end).next_multiple_of(HUGE_PAGE).min(self.size / HUGE_PAGE * HUGE_PAGE);
        huge::collapse(self.base, start..end);
    }

    /// A second handle on the memfd; a private copy has none.
    pub fn try_clone_file(&self) -> std::io::Result<File> {
        let file = self.file.as_ref().ok_or(std::io::ErrorKind::Unsupported)?;
        Ok(File::from(file.try_clone()?))
    }

    /// A memfd with the same bytes.
    pub fn to_file(&self) -> Result<File, RamError> {
        let copy = Self::new(self.size as u64)?;
        let mut piece = vec![0; PIECE];
        for offset in (0..self.size).step_by(PIECE) {
            let piece = &mut piece[..PIECE.min(self.size - offset)];
            self.read(offset as u64, piece)?;
            if piece.iter().any(|byte| *byte != 0) {
                copy.write(offset as u64, piece)?;
            }
        }
        Ok(copy.try_clone_file()?)
    }

    /// Copies bytes out of it.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), RamError> {
        let start = self.check(offset, buffer.len())?;
        // SAFETY: `check` proved the range to be inside the mapping.
        unsafe {
            std::ptr::copy_nonoverlapping(self.base.add(start), buffer.as_mut_ptr(), buffer.len())
        };
        Ok(())
    }

    /// Copies bytes into it.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), RamError> {
        let start = self.check(offset, bytes.len())?;
        // SAFETY: `check` proved the range to be inside the mapping.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.add(start), bytes.len()) };
        Ok(())
    }

    /// Puts `len` bytes at `offset` back to what they are in `original`.
    pub fn put_back(&self, original: &Original, offset: u64, len: usize) -> Result<(), RamError> {
        let start = self.check(offset, len)?;
        original.0.check(offset, len)?;
        // SAFETY: both checks proved the range to be inside the mappings, which do not overlap.
        unsafe {
            let from = original.0.base.add(start);
            std::ptr::copy_nonoverlapping(from, self.base.add(start), len);
        };
        Ok(())
    }

    /// The first offset at which this and `original` differ.
    pub fn difference(&self, original: &Original) -> Result<Option<u64>, RamError> {
        let (mut ours, mut theirs) = (vec![0; PIECE], vec![0; PIECE]);
        for offset in (0..self.size).step_by(PIECE) {
            let len = PIECE.min(self.size - offset);
            self.read(offset as u64, &mut ours[..len])?;
            original.0.read(offset as u64, &mut theirs[..len])?;
            let (ours, theirs) = (&ours[..len], &theirs[..len]);
            // The whole piece first: that is much faster, and mostly all.
            if ours != theirs {
                let at = ours.iter().zip(theirs).position(|(one, other)| one != other);
                return Ok(at.map(|at| (offset + at) as u64));
            }
        }
        Ok(None)
    }

    fn check(&self, offset: u64, len: usize) -> Result<usize, RamError> {
        usize::try_from(offset)
            .ok()
            .filter(|start| start.checked_add(len).is_some_and(|end| end <= self.size))
            .ok_or(RamError::Outside { offset, len, size: self.size as u64 })
    }
}

/// RAM as it was saved.
#[derive(Debug)]
pub struct Original(Mapping);

fn check_length(file: &File, size: u64) -> Result<(), RamError> {
    match file.metadata()?.len() {
        length if length == size => Ok(()),
        length => Err(RamError::Length { expected: size, length }),
    }
}

/// Maps the first `size` bytes of `file`; gives the address, and the size once more.
fn map(
    file: impl AsFd,
    size: u64,
    access: ProtFlags,
    flags: MapFlags,
) -> Result<(*mut u8, usize), RamError> {
    let failed = |source: rustix::io::Errno| RamError::Create { size, source: source.into() };
    let length = usize::try_from(size).map_err(|_| failed(rustix::io::Errno::NOMEM))?;
    let flags = flags | MapFlags::NORESERVE | MapFlags::FIXED;
    let place = huge::reserve(length).map_err(failed)?;
    // SAFETY: nothing but the reservation is there.
    let base = unsafe { mmap(place.cast(), length, access, flags, file, 0) }.map_err(failed)?;
    // A core of the harness is to hold the harness, not its guests. Where that fails, it holds more.
    // SAFETY: the advice changes what a core holds, and nothing else.
    let _ = unsafe { madvise(base, length, Advice::LinuxDontDump) };
    Ok((base.cast(), length))
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` and nothing refers into it any more.
        // An error would mean that it is gone already.
        let _ = unsafe { munmap(self.base.cast(), self.size) };
    }
}
