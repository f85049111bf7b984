//! Loads a kernel and all that it needs into guest memory.

use std::path::PathBuf;

use vm_memory::{Bytes, GuestAddress};

use super::bzimage::BzImage;
use super::command_line::{self, CommandLineError};
use super::elf::ElfKernel;
use super::image::{Image, ImageError, ImageFile, Kind};
use super::initramfs::{self, InitramfsError};
use super::placement::{Placement, PlacementError};
use super::{acpi, handover};
use crate::kvm::arch::entry::Entry;
use crate::kvm::arch::layout::{ACPI_TABLES, BOOT_STRUCTURES, COMMAND_LINE};
use crate::kvm::memory::{GuestMemory, MemoryError};

/// Highest address that an initramfs may reach when the image does not say: `initrd_addr_max` of
/// current kernels, plus one.
const INITRAMFS_END: u64 = 0x8000_0000;

/// Why a kernel cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The image is no sound kernel.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The command line is none that the kernel takes.
    #[error(transparent)]
    CommandLine(#[from] CommandLineError),
    /// An initramfs cannot be read, or does not fit.
    #[error(transparent)]
    Initramfs(#[from] InitramfsError),
    /// The kernel does not fit.
    #[error("{path}: {source}")]
    Placement {
        /// The image.
        path: PathBuf,
        /// What does not fit.
        source: PlacementError,
    },
    /// The image could not be copied into guest memory.
    #[error("cannot load {path} into guest memory: {words}")]
    Copy {
        /// The image.
        path: PathBuf,
        /// What went wrong.
        words: String,
    },
    /// What the machine writes itself does not fit.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// What to load.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) kernel: &'a PathBuf,
    pub(crate) initramfs: &'a [PathBuf],
    pub(crate) command_line: &'a str,
    pub(crate) cpus: u8,
    pub(crate) virtio_devices: u8,
}

/// Loads it, and says how the first processor is to enter it.
pub(crate) fn load(request: &Request, memory: &GuestMemory) -> Result<Entry, LoadError> {
    let image = Image::open(request.kernel)?;
    let mut placement = Placement::new(memory.low_end());
    let path = request.kernel;
    let unplaced = |source| LoadError::Placement { path: path.clone(), source };
    let structures = BOOT_STRUCTURES.end - BOOT_STRUCTURES.start;
    placement
        .claim("what the machine itself writes", BOOT_STRUCTURES.start, structures)
        .map_err(unplaced)?;
    let uncopied = |words| LoadError::Copy { path: path.clone(), words };
    match &image.kind {
        Kind::Elf(kernel) => {
            place_elf(kernel, &mut placement).map_err(unplaced)?;
            copy_elf(kernel, &image.file, memory).map_err(uncopied)?;
        }
        Kind::BzImage(kernel) => {
            let (address, size) = (kernel.load_address(), kernel.memory_size());
            placement.claim("the kernel", address, size).map_err(unplaced)?;
            let (offset, size) = (kernel.kernel_offset, kernel.kernel_size);
            copy(&image.file, offset, memory, address, size).map_err(uncopied)?;
        }
    }
    hand_over(request, &image.kind, memory, &mut placement)
}

fn place_elf(kernel: &ElfKernel, placement: &mut Placement) -> Result<(), PlacementError> {
    kernel.segments.iter().try_for_each(|segment| {
        placement.claim("a segment of the kernel", segment.address, segment.memory_size)
    })
}

/// Fresh guest memory is zero, so what a segment has in memory only needs no copy.
fn copy_elf(kernel: &ElfKernel, file: &ImageFile, memory: &GuestMemory) -> Result<(), String> {
    kernel.segments.iter().try_for_each(|segment| {
        copy(file, segment.offset, memory, segment.address, segment.file_size)
    })
}

fn copy(
    image: &ImageFile,
    offset: u64,
    memory: &GuestMemory,
    address: u64,
    size: u64,
) -> Result<(), String> {
    use std::io::{Seek, SeekFrom};
    let mut file = image.file();
    file.seek(SeekFrom::Start(offset)).map_err(|error| error.to_string())?;
    let size = usize::try_from(size).map_err(|error| error.to_string())?;
    memory
        .view()
        .read_exact_volatile_from(GuestAddress(address), &mut file, size)
        .map_err(|error| error.to_string())
}

fn hand_over(
    request: &Request,
    kind: &Kind,
    memory: &GuestMemory,
    placement: &mut Placement,
) -> Result<Entry, LoadError> {
    let header = match kind {
        Kind::Elf(_) => None,
        Kind::BzImage(image) => Some(&image.header),
    };
    let limit = header.map(|header| header.cmdline_size);
    let line = command_line::complete(request.command_line, limit)?;
    memory.write(COMMAND_LINE, &line)?;
    memory.write(ACPI_TABLES, &acpi::tables(request.cpus, request.virtio_devices))?;
    let below = header.map_or(INITRAMFS_END, |header| u64::from(header.initrd_addr_max) + 1);
    let initramfs = initramfs::load(request.initramfs, memory, placement, below)?;
    let entry = entry_of(kind);
    match entry {
        Entry::Pvh { .. } => handover::write_start_info(memory, initramfs)?,
        Entry::Linux64 { .. } => handover::write_zero_page(memory, header, initramfs)?,
    }
    Ok(entry)
}

fn entry_of(kind: &Kind) -> Entry {
    match kind {
        Kind::Elf(ElfKernel { pvh_entry: Some(address), .. }) => Entry::Pvh { address: *address },
        Kind::Elf(ElfKernel { entry: address, .. }) => Entry::Linux64 { address: *address },
        Kind::BzImage(image) => Entry::Linux64 { address: BzImage::entry(image) },
    }
}
