//! Kernels that look right and do not boot.

use std::fs;
use std::path::Path;

use crate::bench::{kernel, kernel_of, text};
use crate::machine::Machine;

/// Writes a copy of the kernel under test to `path` that does nothing, without an interrupt to wake
/// it. Gives the path as text.
pub fn halting(on: &Machine, path: &Path) -> String {
    match on.is_pc() {
        // hlt
        true => vmlinux(path, &[0xf4]),
        // wfi, and back to it: the stop of an Arm CPU is a hint only.
        false => image(path, &[0xd503_207f, 0x17ff_ffff]),
    }
}

/// Writes a copy whose first instruction is none, and which has no handler for that.
pub fn faulting(on: &Machine, path: &Path) -> String {
    match on.is_pc() {
        // ud2
        true => vmlinux(path, &[0x0f, 0x0b]),
        // udf #0
        false => image(path, &[0]),
    }
}

/// An arm64 Image is entered at its first byte (Documentation/arch/arm64/booting.rst).
fn image(path: &Path, code: &[u32]) -> String {
    let mut image = fs::read(text(&kernel_of("aarch64", "debian"), "image")).unwrap();
    let code = code.iter().flat_map(|word| word.to_le_bytes());
    for (byte, code) in image.iter_mut().zip(code) {
        *byte = code;
    }
    write(path, &image)
}

/// From the PVH entry point on, the instructions are `code` over and over.
fn vmlinux(path: &Path, code: &[u8]) -> String {
    let mut image = fs::read(text(kernel(), "vmlinux")).unwrap();
    let start = file_offset(&image, pvh_entry(&image));
    for (byte, code) in image[start..start + 64].iter_mut().zip(code.iter().cycle()) {
        *byte = *code;
    }
    write(path, &image)
}

fn write(path: &Path, image: &[u8]) -> String {
    fs::write(path, image).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The address in the note `XEN_ELFNOTE_PHYS32_ENTRY` (xen/include/public/elfnote.h).
fn pvh_entry(image: &[u8]) -> u64 {
    const NAME_SIZE: usize = 4;
    for size in [4_u8, 8] {
        let header = [4, 0, 0, 0, size, 0, 0, 0, 18, 0, 0, 0, b'X', b'e', b'n', 0];
        let found = image.windows(header.len()).position(|window| window == header);
        if let Some(at) = found {
            return u64::from(u32_at(image, at + 12 + NAME_SIZE));
        }
    }
    panic!("the kernel under test has no PVH entry point (CONFIG_PVH)");
}

/// Where in an ELF64 file the byte is that goes to the physical address `address`.
fn file_offset(image: &[u8], address: u64) -> usize {
    let headers = usize::try_from(u64_at(image, 32)).unwrap();
    let count = usize::from(u16::from_le_bytes([image[56], image[57]]));
    (0..count)
        .map(|index| headers + index * 56)
        .find_map(|header| {
            let (offset, start) = (u64_at(image, header + 8), u64_at(image, header + 24));
            let length = u64_at(image, header + 32);
            let inside = u32_at(image, header) == 1 && (start..start + length).contains(&address);
            inside.then(|| usize::try_from(offset + (address - start)).unwrap())
        })
        .expect("the entry point is in a segment")
}

fn u32_at(image: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(image[at..at + 4].try_into().unwrap())
}

fn u64_at(image: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(image[at..at + 8].try_into().unwrap())
}
