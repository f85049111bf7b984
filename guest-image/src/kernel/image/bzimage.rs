//! The x86 bzImage: real-mode set-up code with a header, then the compressed kernel.
//!
//! Offsets and meanings are those of the kernel's Documentation/arch/x86/boot.rst, "The Real-Mode
//! Kernel Header".

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::super::KernelError;
use super::super::compression::Compression;

const SETUP_SECTS: usize = 0x1f1;
const BOOT_FLAG: usize = 0x1fe;
const MAGIC: usize = 0x202;
const VERSION: usize = 0x206;
const KERNEL_VERSION: usize = 0x20e;
const XLOADFLAGS: usize = 0x236;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;

/// Bytes of a file that hold the whole header.
pub(super) const HEADER_LEN: usize = 0x268;

/// Protocol 2.12: the first with `xloadflags`; every 64-bit kernel since Linux 3.8 has it.
const OLDEST_VERSION: u16 = 0x020c;

/// `xloadflags` bit 0: the kernel has the 64-bit entry point.
const XLF_KERNEL_64: u16 = 1;

const SECTOR: u64 = 512;

/// Longest version string that is looked for, in bytes.
const MAX_VERSION: usize = 512;

/// Largest kernel that is decompressed, in bytes.
const MAX_VMLINUX: u64 = 1 << 30;

/// The header of a bzImage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BzImage {
    /// The kernel's release: the first word of the version string, as `uname -r` prints it.
    pub release: String,
    /// Boot protocol version: major in the high byte, minor in the low one.
    pub protocol: u16,
    /// Whether the kernel is for x86-64; otherwise it is for 32-bit x86.
    pub is_64_bit: bool,
    /// The bytes of the file that hold the compressed kernel.
    pub payload: Range<u64>,
}

impl BzImage {
    /// Whether the first bytes of a file have the boot sector's flag and the header's magic.
    pub(super) fn matches(head: &[u8]) -> bool {
        head.get(MAGIC..MAGIC + 4) == Some(b"HdrS")
    }

    /// Reads and checks the header in `head`, the first bytes of `file`.
    pub(super) fn read(path: &Path, file: &File, head: &[u8]) -> Result<Self, KernelError> {
        let header = Header { path, bytes: head };
        header.expect_flag()?;
        let protocol = header.u16(VERSION)?;
        if protocol < OLDEST_VERSION {
            let what = format!(
                "boot protocol {protocol:#06x}; only 0x020c (Linux 3.8) and later are supported"
            );
            return Err(KernelError::damaged(path, offset(VERSION), what));
        }
        let setup_len = header.setup_len()?;
        let len = file.metadata().map_err(|e| KernelError::io(path, e))?.len();
        Ok(Self {
            release: header.release(file, setup_len)?,
            protocol,
            is_64_bit: header.u16(XLOADFLAGS)? & XLF_KERNEL_64 != 0,
            payload: header.payload(setup_len, len)?,
        })
    }

    /// Decompresses the kernel out of the image: an ELF file, with relocations after it.
    ///
    /// # Errors
    /// When the payload is damaged, or its compression is none that is supported.
    pub fn vmlinux(&self, path: &Path) -> Result<Vec<u8>, KernelError> {
        let payload = self.read_payload(path).map_err(|e| KernelError::io(path, e))?;
        let compression = Compression::detect(&payload)
            .ok_or_else(|| self.unknown_compression(path, &payload))?;
        compression.decompress(&payload, MAX_VMLINUX).map_err(|e| {
            KernelError::damaged(path, self.payload.start, format!("{compression:?} payload: {e}"))
        })
    }

    fn read_payload(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        let len = usize::try_from(self.payload.end - self.payload.start)
            .map_err(std::io::Error::other)?;
        let mut payload = vec![0; len];
        File::open(path)?.read_exact_at(&mut payload, self.payload.start)?;
        Ok(payload)
    }

    fn unknown_compression(&self, path: &Path, payload: &[u8]) -> KernelError {
        let magic = &payload[..payload.len().min(4)];
        let what = format!(
            "a payload compressed in a way that is not supported (it starts with {magic:02x?})"
        );
        KernelError::damaged(path, self.payload.start, what)
    }
}

/// The header's bytes, read field by field.
struct Header<'a> {
    path: &'a Path,
    bytes: &'a [u8],
}

impl Header<'_> {
    fn expect_flag(&self) -> Result<(), KernelError> {
        match self.u16(BOOT_FLAG)? {
            0xaa55 => Ok(()),
            flag => Err(KernelError::damaged(
                self.path,
                offset(BOOT_FLAG),
                format!("the boot flag is {flag:#06x} where 0xaa55 belongs"),
            )),
        }
    }

    /// Length of boot sector and set-up code together, in bytes.
    fn setup_len(&self) -> Result<u64, KernelError> {
        let sectors = match self.field::<1>(SETUP_SECTS)? {
            [0] => 4, // boot.rst: "for backwards compatibility, if the setup_sects field contains 0, the real value is 4"
            [sectors] => sectors,
        };
        Ok((u64::from(sectors) + 1) * SECTOR)
    }

    /// The version string lies in the set-up code, at `kernel_version` + 0x200.
    fn release(&self, file: &File, setup_len: u64) -> Result<String, KernelError> {
        let at = u64::from(self.u16(KERNEL_VERSION)?) + 0x200;
        let mut text = [0; MAX_VERSION];
        if at == 0x200 || at >= setup_len {
            return Err(self.bad_version(format!(
                "the version string lies at {at:#x}, outside the set-up code"
            )));
        }
        let len = file.read_at(&mut text, at).map_err(|e| KernelError::io(self.path, e))?;
        let text =
            text[..len].split(|b| b.is_ascii_whitespace() || *b == 0).next().unwrap_or_default();
        match std::str::from_utf8(text) {
            Ok(release) if !release.is_empty() => Ok(release.into()),
            _ => Err(self.bad_version(format!("no version string at {at:#x}"))),
        }
    }

    fn bad_version(&self, what: String) -> KernelError {
        KernelError::damaged(self.path, offset(KERNEL_VERSION), what)
    }

    /// `payload_offset` counts from the protected-mode code, right behind the set-up code.
    fn payload(&self, setup_len: u64, file_len: u64) -> Result<Range<u64>, KernelError> {
        let start = setup_len + u64::from(self.u32(PAYLOAD_OFFSET)?);
        let end = start + u64::from(self.u32(PAYLOAD_LENGTH)?);
        if start == end || end > file_len {
            let what = format!(
                "the payload would be bytes {start} to {end} of a file of {file_len}: it is cut short"
            );
            return Err(KernelError::damaged(self.path, offset(PAYLOAD_OFFSET), what));
        }
        Ok(start..end)
    }

    fn u16(&self, at: usize) -> Result<u16, KernelError> {
        self.field(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Result<u32, KernelError> {
        self.field(at).map(u32::from_le_bytes)
    }

    fn field<const N: usize>(&self, at: usize) -> Result<[u8; N], KernelError> {
        self.bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or_else(|| {
            KernelError::damaged(
                self.path,
                offset(self.bytes.len()),
                "the file ends inside its header",
            )
        })
    }
}

fn offset(at: usize) -> u64 {
    at as u64
}

/// The first bytes of `file`, at most `HEADER_LEN`.
pub(super) fn read_head(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEADER_LEN);
    file.take(offset(HEADER_LEN)).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use tempfile::NamedTempFile;

    use super::*;

    pub fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
        image[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// A bzImage with one sector of set-up code and `payload`.
    pub fn bzimage(payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 3 * 512];
        image[SETUP_SECTS] = 2;
        put(&mut image, BOOT_FLAG, &[0x55, 0xaa]);
        put(&mut image, MAGIC, b"HdrS");
        put(&mut image, VERSION, &0x020f_u16.to_le_bytes());
        put(&mut image, KERNEL_VERSION, &0x100_u16.to_le_bytes());
        put(&mut image, 0x300, b"6.1.0-test (me@here) #1 SMP\0");
        put(&mut image, XLOADFLAGS, &XLF_KERNEL_64.to_le_bytes());
        put(&mut image, PAYLOAD_OFFSET, &0_u32.to_le_bytes());
        put(&mut image, PAYLOAD_LENGTH, &u32::try_from(payload.len()).unwrap().to_le_bytes());
        image.extend(payload);
        image
    }

    fn file(bytes: &[u8]) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn read(bytes: &[u8]) -> Result<BzImage, KernelError> {
        let file = file(bytes);
        let head = read_head(&mut File::open(file.path()).unwrap()).unwrap();
        BzImage::read(file.path(), file.as_file(), &head)
    }

    #[test]
    fn release_width_and_payload_are_read_from_the_header() {
        let image = read(&bzimage(b"payload")).unwrap();
        assert_eq!(image.release, "6.1.0-test");
        assert_eq!(image.protocol, 0x020f);
        assert!(image.is_64_bit);
        assert_eq!(image.payload, 1536..1543);
    }

    #[test]
    fn a_file_cut_anywhere_is_damaged_and_names_an_offset() {
        let whole = bzimage(b"payload");
        for len in 0..whole.len() {
            assert!(
                matches!(read(&whole[..len]), Err(KernelError::Damaged { .. })),
                "cut at {len}"
            );
        }
    }

    #[test]
    fn a_version_string_outside_the_set_up_code_is_damage() {
        let mut image = bzimage(b"payload");
        put(&mut image, KERNEL_VERSION, &[0xff, 0xff]);
        let error = read(&image).unwrap_err().to_string();
        assert!(error.contains("damaged at offset 0x20e"), "{error}");
    }

    #[test]
    fn the_payload_is_decompressed() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(b"\x7fELF and so on").unwrap();
        let bytes = bzimage(&gzip.finish().unwrap());
        let file = file(&bytes);
        assert_eq!(read(&bytes).unwrap().vmlinux(file.path()).unwrap(), b"\x7fELF and so on");
    }

    #[test]
    fn an_unknown_compression_says_its_first_bytes() {
        let bytes = bzimage(b"\x89LZO");
        let file = file(&bytes);
        let error = read(&bytes).unwrap().vmlinux(file.path()).unwrap_err().to_string();
        assert!(error.contains("[89, 4c, 5a, 4f]"), "{error}");
    }
}
