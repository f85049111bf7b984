//! `bzImage`: a real-mode setup part that is skipped here, then the kernel that unpacks itself.
//!
//! Source: Linux `Documentation/arch/x86/boot.rst`.

use std::io;

use linux_loader::loader::bootparam::setup_header;
use vm_memory::ByteValued;

use super::image::ImageFile;

/// Where the setup header starts in the file, and in the zero page.
pub(crate) const SETUP_HEADER: u64 = 0x1f1;
const MAGIC_OFFSET: u64 = 0x202;
const MAGIC: u32 = u32::from_le_bytes(*b"HdrS");
const SECTOR: u64 = 512;
/// Sectors of the setup part when the header says 0.
const DEFAULT_SETUP_SECTORS: u8 = 4;
/// The first protocol that states its 64-bit entry point: 2.12, Linux 3.8.
const OLDEST_PROTOCOL: u16 = 0x20c;
/// Unit of `syssize`.
const PARAGRAPH: u64 = 16;

const LOADED_HIGH: u8 = 1 << 0;
const XLF_KERNEL_64: u16 = 1 << 0;
/// Where the 64-bit entry point is, from where the kernel is loaded.
const ENTRY_64_OFFSET: u64 = 0x200;

/// What is wrong with a bzImage.
#[derive(Debug, thiserror::Error)]
pub enum BzImageError {
    /// The header cannot be read.
    #[error("the setup header cannot be read: {0}; is the file complete?")]
    Read(#[from] io::Error),
    /// It is older than Linux 3.8.
    #[error("boot protocol {0:#x} is too old: 0x20c (Linux 3.8) is needed")]
    Protocol(u16),
    /// It cannot be entered in 64-bit mode.
    #[error("{0}: only 64-bit kernels (CONFIG_X86_64) boot here")]
    Not64Bit(&'static str),
    /// A field of the header contradicts another one, or the file.
    #[error("setup header: {field} is {value:#x}: {problem}")]
    Field {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// A sound bzImage.
#[derive(Debug)]
pub(crate) struct BzImage {
    /// The setup header as it is in the file.
    pub(crate) header: setup_header,
    /// Where the kernel starts in the file.
    pub(crate) kernel_offset: u64,
    /// Bytes of it.
    pub(crate) kernel_size: u64,
}

impl BzImage {
    /// Is this an image with a Linux setup header?
    pub(crate) fn recognises(image: &ImageFile) -> bool {
        image.bytes(MAGIC_OFFSET).is_ok_and(|magic| u32::from_le_bytes(magic) == MAGIC)
    }

    /// Reads and checks the header.
    pub(crate) fn parse(image: &ImageFile) -> Result<Self, BzImageError> {
        let mut header = setup_header::default();
        image.read(SETUP_HEADER, header.as_mut_slice())?;
        check_kind(&header)?;
        let sectors = match header.setup_sects {
            0 => DEFAULT_SETUP_SECTORS,
            sectors => sectors,
        };
        let kernel_offset = (u64::from(sectors) + 1) * SECTOR;
        let kernel_size = u64::from(header.syssize) * PARAGRAPH;
        let parsed = Self { header, kernel_offset, kernel_size };
        parsed.check_sizes(image.size())?;
        parsed.check_placement()?;
        Ok(parsed)
    }

    /// Where it is to be loaded.
    pub(crate) fn load_address(&self) -> u64 {
        self.header.pref_address
    }

    /// Bytes that it needs from there on to unpack itself.
    pub(crate) fn memory_size(&self) -> u64 {
        u64::from(self.header.init_size)
    }

    /// The 64-bit entry point.
    pub(crate) fn entry(&self) -> u64 {
        self.load_address() + ENTRY_64_OFFSET
    }

    fn check_sizes(&self, file_size: u64) -> Result<(), BzImageError> {
        let (offset, length) = (self.header.payload_offset, self.header.payload_length);
        let payload_end = u64::from(offset) + u64::from(length);
        // The signature of a signed kernel follows, so the file may be longer than the kernel.
        if self.kernel_offset.saturating_add(self.kernel_size) > file_size {
            return bad("syssize", self.header.syssize, "the file is shorter than that");
        }
        if self.kernel_size <= ENTRY_64_OFFSET {
            return bad("syssize", self.header.syssize, "there is no kernel behind the setup part");
        }
        if length == 0 {
            return bad("payload_length", length, "there is no kernel in the image");
        }
        if payload_end > self.kernel_size {
            return bad("payload_offset", offset, "the payload reaches beyond the kernel");
        }
        if self.memory_size() < self.kernel_size {
            return bad("init_size", self.header.init_size, "less than the kernel's own size");
        }
        Ok(())
    }

    fn check_placement(&self) -> Result<(), BzImageError> {
        let (align, address) = (self.header.kernel_alignment, self.header.pref_address);
        if !align.is_power_of_two() {
            return bad("kernel_alignment", align, "not a power of two");
        }
        if !address.is_multiple_of(align.into()) {
            return bad("pref_address", address, "not a multiple of kernel_alignment");
        }
        if address.checked_add(self.memory_size()).is_none_or(|end| end > u64::from(u32::MAX)) {
            return bad("pref_address", address, "the kernel would not end below 4 GiB");
        }
        Ok(())
    }
}

fn check_kind(header: &setup_header) -> Result<(), BzImageError> {
    if header.version < OLDEST_PROTOCOL {
        return Err(BzImageError::Protocol(header.version));
    }
    if header.loadflags & LOADED_HIGH == 0 {
        return Err(BzImageError::Not64Bit("LOADED_HIGH is not set: this is a zImage"));
    }
    if header.xloadflags & XLF_KERNEL_64 == 0 {
        return Err(BzImageError::Not64Bit("XLF_KERNEL_64 is not set"));
    }
    Ok(())
}

fn bad<T>(
    field: &'static str,
    value: impl Into<u64>,
    problem: &'static str,
) -> Result<T, BzImageError> {
    Err(BzImageError::Field { field, value: value.into(), problem })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::kvm::boot::test_images::{bzimage as image, setup_header as sound_header};

    const HEADER_START: usize = 0x1f1;
    const HEADER_END: usize = HEADER_START + size_of::<setup_header>();

    fn parse_bytes(bytes: &[u8]) -> Result<BzImage, BzImageError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        BzImage::parse(&ImageFile::new(file).unwrap())
    }

    fn problem(change: impl FnOnce(&mut setup_header)) -> String {
        let mut header = sound_header();
        change(&mut header);
        parse_bytes(&image(&header)).unwrap_err().to_string()
    }

    #[test]
    fn a_sound_image_is_read() {
        let parsed = parse_bytes(&image(&sound_header())).unwrap();
        assert_eq!(parsed.kernel_offset, 1024);
        assert_eq!(parsed.kernel_size, 0x1000);
        assert_eq!(parsed.entry(), 0x100_0200);
    }

    #[test]
    fn setup_sects_0_means_4() {
        let header = setup_header { setup_sects: 0, ..sound_header() };
        let bytes = [image(&header), vec![0; 0x1000]].concat();
        assert_eq!(parse_bytes(&bytes).unwrap().kernel_offset, 5 * 512);
    }

    #[test]
    fn kernels_that_cannot_be_entered_in_64_bit_mode_are_refused() {
        assert!(problem(|header| header.xloadflags = 0).contains("XLF_KERNEL_64"));
        assert!(problem(|header| header.loadflags = 0).contains("zImage"));
        assert!(problem(|header| header.version = 0x205).contains("0x205 is too old"));
    }

    #[test]
    fn an_image_that_holds_no_kernel_is_refused() {
        assert!(problem(|header| header.payload_length = 0).contains("no kernel in the image"));
        assert!(problem(|header| header.syssize = 0).contains("no kernel behind"));
        let cut = &image(&sound_header())[..1024];
        assert!(parse_bytes(cut).unwrap_err().to_string().contains("shorter"));
    }

    #[test]
    fn sizes_that_contradict_each_other_are_refused() {
        assert!(problem(|header| header.setup_sects = 255).contains("syssize"));
        assert!(problem(|header| header.syssize = u32::MAX).contains("shorter"));
        assert!(problem(|header| header.payload_offset = 0x900).contains("payload_offset"));
        assert!(problem(|header| header.payload_length = u32::MAX).contains("payload_offset"));
        assert!(problem(|header| header.init_size = 0).contains("init_size"));
    }

    #[test]
    fn addresses_that_no_kernel_has_are_refused() {
        assert!(problem(|header| header.kernel_alignment = 0).contains("power of two"));
        assert!(problem(|header| header.pref_address = 0x100_0001).contains("pref_address"));
        let near_the_end = |header: &mut setup_header| {
            (header.pref_address, header.init_size) = (0xffe0_0000, 0x20_0000);
        };
        assert!(problem(near_the_end).contains("below 4 GiB"));
        assert!(problem(|header| header.pref_address = !0 << 21).contains("below 4 GiB"));
    }

    #[test]
    fn an_image_cut_off_anywhere_is_refused() {
        let bytes = image(&sound_header());
        for length in (0..bytes.len()).step_by(7) {
            assert!(parse_bytes(&bytes[..length]).is_err(), "cut off at {length}");
        }
    }

    proptest! {
        #[test]
        fn no_byte_of_the_header_makes_the_parser_panic(
            at in HEADER_START..HEADER_END - 8,
            value: u64,
        ) {
            let mut bytes = image(&sound_header());
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            if let Ok(parsed) = parse_bytes(&bytes) {
                prop_assert!(parsed.kernel_offset + parsed.kernel_size <= bytes.len() as u64);
                prop_assert!(parsed.entry() < parsed.load_address() + parsed.memory_size());
            }
        }
    }
}
