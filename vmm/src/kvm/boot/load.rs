//! Loads a kernel and all that it needs into guest memory.

use std::path::PathBuf;

use vm_memory::{Bytes, GuestAddress};

use super::bzimage::BzImage;
use super::command_line::{self, CommandLineError};
use super::elf::{ElfKernel, Segment};
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

/// What a kernel takes from the end of low RAM while it boots a small guest, in bytes: page tables, `struct page`s,
/// per-CPU areas.
const USED_AT_THE_END: u64 = 16 << 20;

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
    expect_use(&image.kind, request, memory);
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

/// Gets huge pages for what every kernel uses from the start, before anything is in it: where its image lies, and the
/// end of low RAM, from which it takes memory while it boots, and where the initramfs is.
fn expect_use(kind: &Kind, request: &Request, memory: &GuestMemory) {
    let image = match kind {
        Kind::Elf(kernel) => {
            let start = kernel.segments.iter().map(|segment| segment.address).min().unwrap_or(0);
            let end = |segment: &Segment| segment.address.saturating_add(segment.memory_size);
            start..kernel.segments.iter().map(end).max().unwrap_or(0)
        }
        Kind::BzImage(kernel) => {
            let start = kernel.load_address();
            start..start.saturating_add(kernel.memory_size())
        }
    };
    let size = |path: &PathBuf| path.metadata().map_or(0, |file| file.len());
    let initramfs = request.initramfs.iter().map(size).fold(USED_AT_THE_END, u64::saturating_add);
    let end = memory.low_end();
    memory.ram().use_huge_pages(image);
    memory.ram().use_huge_pages(end.saturating_sub(initramfs)..end);
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use linux_loader::loader::bootparam::{boot_params, setup_header};
    use vm_memory::ByteValued;

    use super::*;
    use crate::kvm::arch::layout::ZERO_PAGE;
    use crate::kvm::boot::test_images;

    const RAM: u64 = 64 << 20;

    fn load_image(image: &[u8], initramfs: &[PathBuf]) -> Result<(Entry, GuestMemory), LoadError> {
        let dir = tempfile::tempdir().unwrap();
        let kernel = write(dir.path(), "kernel", image);
        let memory = GuestMemory::new(RAM).unwrap();
        let request = Request {
            kernel: &kernel,
            initramfs,
            command_line: "quiet",
            cpus: 1,
            virtio_devices: 2,
        };
        load(&request, &memory).map(|entry| (entry, memory))
    }

    fn write(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn problem(image: &[u8]) -> String {
        load_image(image, &[]).unwrap_err().to_string()
    }

    fn read<const N: usize>(memory: &GuestMemory, address: u64) -> [u8; N] {
        let mut bytes = [0; N];
        memory.ram().read(address, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn an_elf_kernel_is_loaded_where_its_segments_say() {
        let image = test_images::elf(
            0x100_0000,
            &[(0x100_0000, b"code", 0x1000), (0x200_0000, b"data", 8)],
        );
        let (entry, memory) = load_image(&image, &[]).unwrap();
        assert_eq!(entry, Entry::Linux64 { address: 0x100_0000 });
        assert_eq!(&read(&memory, 0x100_0000), b"code");
        assert_eq!(&read(&memory, 0x200_0000), b"data\0\0\0\0");
        assert_eq!(&read(&memory, ACPI_TABLES), b"RSD PTR ");
    }

    #[test]
    fn a_bzimage_is_entered_behind_its_32_bit_entry_with_the_initramfs_on_top() {
        let dir = tempfile::tempdir().unwrap();
        let archive = write(dir.path(), "initramfs", &[7; 0x1800]);
        let image = test_images::bzimage(&test_images::setup_header());
        let (entry, memory) = load_image(&image, &[archive]).unwrap();
        assert_eq!(entry, Entry::Linux64 { address: 0x100_0200 });
        let mut page = boot_params::default();
        memory.ram().read(ZERO_PAGE, page.as_mut_slice()).unwrap();
        let hdr = page.hdr;
        assert_eq!(({ hdr.ramdisk_image }, { hdr.ramdisk_size }), (0x3ff_e000, 0x1800));
        assert_eq!(read(&memory, 0x3ff_e000), [7; 0x1800]);
    }

    #[test]
    fn a_segment_over_what_the_machine_itself_writes_is_refused() {
        let image = test_images::elf(0x8000, &[(0, &[0; 0x9000], 0x9000)]);
        assert!(problem(&image).contains("overlaps what the machine itself writes"));
    }

    #[test]
    fn a_segment_larger_than_ram_is_refused() {
        let image = test_images::elf(0x100_0000, &[(0x100_0000, b"code", 1 << 40)]);
        assert!(problem(&image).contains("outside of guest RAM, which ends at 0x4000000"));
    }

    #[test]
    fn a_bzimage_that_needs_more_than_there_is_is_refused() {
        let header = setup_header { init_size: 64 << 20, ..test_images::setup_header() };
        assert!(problem(&test_images::bzimage(&header)).contains("outside of guest RAM"));
    }

    #[test]
    fn an_initramfs_that_would_lie_on_the_kernel_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let archive = write(dir.path(), "initramfs", &vec![1; 16 << 20]);
        let header = setup_header { init_size: 46 << 20, ..test_images::setup_header() };
        let error = load_image(&test_images::bzimage(&header), &[archive]).unwrap_err();
        assert!(error.to_string().contains("no room for the initramfs"), "{error}");
    }
}
