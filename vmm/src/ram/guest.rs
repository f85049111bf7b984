//! Guest RAM, wherever it is.

use std::fs::File;
use std::num::NonZero;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use vm_memory::bitmap::AtomicBitmap;

use super::mapping::{Mapping, Original};
use super::process::ProcessRam;

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
    /// Saved RAM of another size.
    #[error(
        "the saved RAM has {length} bytes, not the {expected} of its machine: it is another's, or was cut"
    )]
    Length {
        /// Bytes of the machine's RAM.
        expected: u64,
        /// Bytes of the file.
        length: u64,
    },
    /// Its file, or the process that has it, cannot be read.
    #[error("guest RAM: {0}")]
    Process(#[from] std::io::Error),
}

/// Guest RAM. Offsets are into it as one piece; where guest-physical memory has a hole (x86: the
/// PCI hole below 4 GiB) the backend's memory map says how the two relate.
///
/// A booted machine has a memfd that the harness maps. A forked one has a private copy of its
/// template's, which only one process maps: QEMU, or this one.
#[derive(Debug)]
pub struct GuestRam {
    size: u64,
    place: RwLock<Place>,
    written: Option<Arc<AtomicBitmap>>,
}

/// What the pages are that are noted when they are written to.
const PAGE: NonZero<usize> = NonZero::new(4096).unwrap();

#[derive(Debug)]
enum Place {
    Mapped(Mapping),
    /// The process that is to map it has not been started.
    Awaited,
    Process(ProcessRam),
}

/// Where the RAM of a guest is for other processes.
#[derive(Debug)]
pub enum Whereabouts {
    /// In a file; this handle on it is the caller's.
    File(File),
    /// In the memory of a process.
    Process {
        /// The process.
        pid: u32,
        /// Address of the first byte in it.
        address: u64,
    },
}

impl GuestRam {
    /// `size` bytes of zeroed guest RAM.
    ///
    /// # Errors
    /// When the host refuses the memory.
    pub fn new(size: u64) -> Result<Self, RamError> {
        Ok(Self::mapped(Mapping::new(size)?, size, None))
    }

    /// A private copy of `size` bytes of saved RAM, in this process.
    pub(crate) fn copy_of(file: &File, size: u64) -> Result<Self, RamError> {
        Ok(Self::mapped(Mapping::copy_of(file, size)?, size, None))
    }

    /// The same, which notes what this process writes to it.
    pub(crate) fn noted_copy_of(file: &File, size: u64) -> Result<Self, RamError> {
        let bytes = usize::try_from(size).unwrap_or(usize::MAX);
        let written = Some(Arc::new(AtomicBitmap::new(bytes, PAGE)));
        Ok(Self::mapped(Mapping::copy_of(file, size)?, size, written))
    }

    fn mapped(mapping: Mapping, size: u64, written: Option<Arc<AtomicBitmap>>) -> Self {
        Self { size, place: RwLock::new(Place::Mapped(mapping)), written }
    }

    /// RAM that a process will have; every access fails until [`GuestRam::found_in`].
    pub(crate) fn awaited(size: u64) -> Self {
        Self { size, place: RwLock::new(Place::Awaited), written: None }
    }

    /// Finds the RAM in process `pid`, which maps `file` privately.
    pub(crate) fn found_in(&self, pid: u32, file: &File) -> Result<(), RamError> {
        let process = ProcessRam::find(pid, file, self.size)?;
        *self.place.write().unwrap_or_else(PoisonError::into_inner) = Place::Process(process);
        Ok(())
    }

    /// Makes the RAM outlive the process that has it.
    pub(crate) fn keep(&self) -> Result<(), RamError> {
        let mut place = self.place.write().unwrap_or_else(PoisonError::into_inner);
        if let Place::Process(process) = &*place {
            let mapping = Mapping::new(self.size)?;
            process.copy_to(&mapping, self.size)?;
            *place = Place::Mapped(mapping);
        }
        Ok(())
    }

    /// Gets huge pages for a range of offsets that a guest is about to use, where the host has them.
    pub(crate) fn use_huge_pages(&self, range: Range<u64>) {
        if let Place::Mapped(mapping) = &*self.place() {
            mapping.use_huge_pages(range);
        }
    }

    /// Size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Address of the mapping in this process, for `KVM_SET_USER_MEMORY_REGION`; null where this
    /// process has none.
    #[must_use]
    pub fn host_address(&self) -> *mut u8 {
        match &*self.place() {
            Place::Mapped(mapping) => mapping.address(),
            Place::Awaited | Place::Process(_) => std::ptr::null_mut(),
        }
    }

    /// A second handle on the RAM file, which outlives the mapping.
    ///
    /// # Errors
    /// When the process has no file descriptor left, or the RAM is no file.
    pub fn try_clone_file(&self) -> std::io::Result<File> {
        match &*self.place() {
            Place::Mapped(mapping) => mapping.try_clone_file(),
            Place::Awaited | Place::Process(_) => Err(std::io::ErrorKind::Unsupported.into()),
        }
    }

    /// Where another process finds the RAM.
    ///
    /// # Errors
    /// When the process has no file descriptor left, or no process has the RAM yet.
    pub fn whereabouts(&self) -> std::io::Result<Whereabouts> {
        match &*self.place() {
            Place::Mapped(mapping) => Ok(match mapping.try_clone_file() {
                Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {
                    let address = mapping.address().addr() as u64;
                    Whereabouts::Process { pid: std::process::id(), address }
                }
                file => Whereabouts::File(file?),
            }),
            Place::Process(process) => {
                let (pid, address) = process.whereabouts();
                Ok(Whereabouts::Process { pid, address })
            }
            Place::Awaited => Err(std::io::ErrorKind::NotFound.into()),
        }
    }

    /// RAM as a file that no machine changes any more, once this one is stopped: its own, or one with
    /// the same bytes.
    pub(crate) fn to_file(&self) -> Result<File, RamError> {
        match &*self.place() {
            Place::Mapped(mapping) => match mapping.try_clone_file() {
                Err(error) if error.kind() == std::io::ErrorKind::Unsupported => mapping.to_file(),
                file => Ok(file?),
            },
            Place::Awaited | Place::Process(_) => Err(not_here()),
        }
    }

    /// The pages that this process wrote, where they are noted.
    pub(crate) fn written(&self) -> Option<&Arc<AtomicBitmap>> {
        self.written.as_ref()
    }

    /// Puts `len` bytes at `offset` back to what they are in `original`.
    pub(crate) fn put_back(
        &self,
        original: &Original,
        offset: u64,
        len: usize,
    ) -> Result<(), RamError> {
        match &*self.place() {
            Place::Mapped(mapping) => mapping.put_back(original, offset, len),
            Place::Awaited | Place::Process(_) => Err(not_here()),
        }
    }

    /// The first offset at which this and `original` differ.
    pub(crate) fn difference(&self, original: &Original) -> Result<Option<u64>, RamError> {
        match &*self.place() {
            Place::Mapped(mapping) => mapping.difference(original),
            Place::Awaited | Place::Process(_) => Err(not_here()),
        }
    }

    /// Copies bytes out of guest RAM.
    ///
    /// # Errors
    /// When the range is not wholly inside, or the machine is gone with its RAM.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), RamError> {
        self.check(offset, buffer.len())?;
        match &*self.place() {
            Place::Mapped(mapping) => mapping.read(offset, buffer),
            Place::Process(process) => Ok(process.read(offset, buffer)?),
            Place::Awaited => Err(not_started()),
        }
    }

    /// Copies bytes into guest RAM.
    ///
    /// # Errors
    /// When the range is not wholly inside, or the machine is gone with its RAM.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), RamError> {
        self.check(offset, bytes.len())?;
        if let (Some(written), Ok(offset)) = (&self.written, usize::try_from(offset)) {
            written.set_addr_range(offset, bytes.len());
        }
        match &*self.place() {
            Place::Mapped(mapping) => mapping.write(offset, bytes),
            Place::Process(process) => Ok(process.write(offset, bytes)?),
            Place::Awaited => Err(not_started()),
        }
    }

    fn place(&self) -> std::sync::RwLockReadGuard<'_, Place> {
        self.place.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, offset: u64, len: usize) -> Result<(), RamError> {
        let inside = offset.checked_add(len as u64).is_some_and(|end| end <= self.size);
        if inside { Ok(()) } else { Err(RamError::Outside { offset, len, size: self.size }) }
    }
}

fn not_started() -> RamError {
    RamError::Process(std::io::Error::other("it has not been started"))
}

fn not_here() -> RamError {
    RamError::Process(std::io::Error::other("it is not in this process"))
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

    #[test]
    fn ram_that_no_process_has_yet_is_an_error() {
        let ram = GuestRam::awaited(4096);
        assert!(ram.read(0, &mut [0]).is_err());
        assert!(ram.keep().is_ok(), "there is nothing to keep");
    }

    fn saved(bytes: &[u8]) -> File {
        let ram = GuestRam::new(1 << 20).unwrap();
        ram.write(0x5000, bytes).unwrap();
        ram.to_file().unwrap()
    }

    fn read(ram: &GuestRam) -> [u8; 4] {
        let mut bytes = [0; 4];
        ram.read(0x5000, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_a_copy_writes_is_its_own_and_can_be_saved_again() {
        let file = saved(b"base");
        let [first, second] = [0, 1].map(|_| GuestRam::copy_of(&file, 1 << 20).unwrap());
        first.write(0x5000, b"mine").unwrap();
        assert_eq!((read(&first), read(&second)), (*b"mine", *b"base"));
        let again = GuestRam::copy_of(&first.to_file().unwrap(), 1 << 20).unwrap();
        assert_eq!(read(&again), *b"mine");
        assert!(matches!(first.whereabouts().unwrap(), Whereabouts::Process { .. }));
    }

    #[test]
    fn a_copy_notes_what_is_written_and_is_put_back() {
        let file = saved(b"base");
        let original = Mapping::of(&file, 1 << 20).unwrap();
        let ram = GuestRam::noted_copy_of(&file, 1 << 20).unwrap();
        assert_eq!(ram.difference(&original).unwrap(), None);
        ram.write(0x5001, b"x").unwrap();
        assert_eq!(ram.difference(&original).unwrap(), Some(0x5001));
        assert_eq!(ram.written().unwrap().get_and_reset()[0], 1 << 5);
        ram.put_back(&original, 0x5000, 4096).unwrap();
        assert_eq!(ram.difference(&original).unwrap(), None);
    }

    #[test]
    fn saved_ram_of_another_length_is_refused_and_that_of_a_machine_cannot_be_cut() {
        let file = saved(b"base");
        for size in [4096, 2 << 20] {
            let error = GuestRam::copy_of(&file, size).unwrap_err();
            assert!(matches!(error, RamError::Length { .. }), "{error}");
        }
        assert!(file.set_len(4096).is_err());
    }
}
