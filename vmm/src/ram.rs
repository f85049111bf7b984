//! Guest RAM as a memfd that the harness maps: one way to read it on every backend.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// What can go wrong with guest RAM.
#[derive(Debug, thiserror::Error)]
pub enum RamError {
    /// The host has no memory for it.
    #[error(
        "cannot get {size} bytes of guest RAM from the host: {source}; ask for less with `machine.memory`"
    )]
    Create {
        /// Bytes asked for.
        size: u64,
        /// The host's words.
        source: std::io::Error,
    },
    /// An access outside of guest RAM.
    #[error("guest RAM: {len} bytes at offset {offset:#x} are outside of its {size:#x} bytes")]
    Outside {
        /// Offset into the RAM file.
        offset: u64,
        /// Bytes asked for.
        len: usize,
        /// Size of guest RAM.
        size: u64,
    },
}

/// Guest RAM: a memfd and a shared mapping of it. Offsets are into the file; where guest-physical
/// memory has a hole (x86: the PCI hole below 4 GiB) the backend's memory map says how the two relate.
#[derive(Debug)]
pub struct GuestRam {
    file: OwnedFd,
    base: *mut u8,
    size: usize,
}

// SAFETY: the mapping lives as long as the value, and every access goes through raw-pointer copies
// of bytes, which the guest may change at any time; no reference into it is ever made.
unsafe impl Send for GuestRam {}
// SAFETY: as above; concurrent copies race only with the guest, and then give stale or torn bytes.
unsafe impl Sync for GuestRam {}

impl GuestRam {
    /// `size` bytes of zeroed guest RAM.
    ///
    /// # Errors
    /// When the host refuses the memory.
    pub fn new(size: u64) -> Result<Self, RamError> {
        let create = |source: rustix::io::Errno| RamError::Create { size, source: source.into() };
        let file = memfd_create("kharness-ram", MemfdFlags::empty()).map_err(create)?;
        ftruncate(&file, size).map_err(create)?;
        let length = usize::try_from(size).map_err(|_| create(rustix::io::Errno::NOMEM))?;
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let base = unsafe {
            mmap(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::NORESERVE,
                &file,
                0,
            )
        }
        .map_err(create)?;
        Ok(Self { file, base: base.cast(), size: length })
    }

    /// Size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size as u64
    }

    /// The memfd behind it.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Address of the mapping in this process, for `KVM_SET_USER_MEMORY_REGION`.
    #[must_use]
    pub fn host_address(&self) -> *mut u8 {
        self.base
    }

    /// A second handle on the RAM file, which outlives the mapping.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub fn try_clone_file(&self) -> std::io::Result<File> {
        Ok(File::from(self.file.try_clone()?))
    }

    /// Copies bytes out of guest RAM.
    ///
    /// # Errors
    /// When the range is not wholly inside.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), RamError> {
        let start = self.check(offset, buffer.len())?;
        // SAFETY: `check` proved the range to be inside the mapping.
        unsafe {
            std::ptr::copy_nonoverlapping(self.base.add(start), buffer.as_mut_ptr(), buffer.len())
        };
        Ok(())
    }

    /// Copies bytes into guest RAM.
    ///
    /// # Errors
    /// When the range is not wholly inside.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), RamError> {
        let start = self.check(offset, bytes.len())?;
        // SAFETY: `check` proved the range to be inside the mapping.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.add(start), bytes.len()) };
        Ok(())
    }

    fn check(&self, offset: u64, len: usize) -> Result<usize, RamError> {
        usize::try_from(offset)
            .ok()
            .filter(|start| start.checked_add(len).is_some_and(|end| end <= self.size))
            .ok_or(RamError::Outside { offset, len, size: self.size() })
    }
}

impl Drop for GuestRam {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` and nothing refers into it any more.
        // An error would mean that it is gone already.
        let _ = unsafe { munmap(self.base.cast(), self.size) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_the_outside_is_refused() {
        let ram = GuestRam::new(8192).unwrap();
        ram.write(8190, b"ab").unwrap();
        let mut back = [0; 2];
        ram.read(8190, &mut back).unwrap();
        assert_eq!(&back, b"ab");
        assert!(ram.read(8191, &mut back).is_err());
        assert!(ram.write(u64::MAX, b"ab").is_err());
    }
}
