//! Kernel images for tests.

use linux_loader::loader::bootparam::setup_header as SetupHeader;
use vm_memory::ByteValued;

/// A program header to be: type, physical address, content, size in memory.
pub(crate) type Part = (u32, u64, Vec<u8>, u64);

/// Type of a part to load.
pub(crate) const PT_LOAD: u32 = 1;

/// An ELF kernel with `entry` and segments: address, content, size in memory.
pub(crate) fn elf(entry: u64, segments: &[(u64, &[u8], u64)]) -> Vec<u8> {
    let part =
        |(address, content, size): &(u64, &[u8], u64)| (PT_LOAD, *address, content.to_vec(), *size);
    elf_of(entry, &segments.iter().map(part).collect::<Vec<_>>())
}

/// An ELF kernel of any parts.
pub(crate) fn elf_of(entry: u64, parts: &[Part]) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[16] = 2; // executable
    bytes[18] = 62; // x86-64
    bytes[24..32].copy_from_slice(&entry.to_le_bytes());
    bytes[32] = 64; // program headers follow
    bytes[54] = 56; // bytes of each
    bytes[56] = u8::try_from(parts.len()).unwrap();
    let mut data: Vec<u8> = Vec::new();
    let data_at = 64 + parts.len() * 56;
    for (kind, address, content, memory_size) in parts {
        let offset = (data_at + data.len()) as u64;
        bytes.extend(kind.to_le_bytes());
        bytes.extend([0; 4]);
        for word in [offset, 0, *address, content.len() as u64, *memory_size, 1] {
            bytes.extend(word.to_le_bytes());
        }
        data.extend(content);
    }
    bytes.extend(data);
    bytes
}

/// The header of a sound bzImage of 4 KiB behind two sectors.
pub(crate) fn setup_header() -> SetupHeader {
    SetupHeader {
        setup_sects: 1,
        syssize: 0x100,
        boot_flag: 0xaa55,
        header: u32::from_le_bytes(*b"HdrS"),
        version: 0x20f,
        loadflags: 1,
        xloadflags: 1,
        kernel_alignment: 0x20_0000,
        payload_offset: 0x300,
        payload_length: 0x800,
        pref_address: 0x100_0000,
        init_size: 0x10_0000,
        cmdline_size: 2047,
        initrd_addr_max: 0x7fff_ffff,
        ..SetupHeader::default()
    }
}

/// A bzImage with `header`.
pub(crate) fn bzimage(header: &SetupHeader) -> Vec<u8> {
    let mut bytes = vec![0; 1024 + 0x1000];
    let end = 0x1f1 + header.as_slice().len();
    bytes[0x1f1..end].copy_from_slice(header.as_slice());
    bytes
}
