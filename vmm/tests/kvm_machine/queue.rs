//! A virtio queue, as a guest of a few instructions has it.

use crate::elf::DATA;

/// Where a guest of these tests keeps a queue.
pub const DESCRIPTORS: u64 = DATA + 0x400;
pub const AVAILABLE: u64 = DATA + 0x500;
pub const USED: u64 = DATA + 0x600;
pub const BUFFER: u64 = DATA + 0x700;

/// Data with which `write_and_wait` brings the virtio device at `device` into operation, with one queue, and has it
/// serve `chain`: address, length and flags of each descriptor.
pub fn drive(device: u64, queue: u64, chain: &[(u64, u32, u16)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut word = |value: u64| data.extend(value.to_le_bytes());
    word(USED + 2);
    word(0);
    for (register, value) in [
        (0x70, 3),
        (0x24, 1),
        (0x20, 1), // VIRTIO_F_VERSION_1
        (0x70, 11),
        (0x30, queue),
        (0x38, 4),
        (0x80, DESCRIPTORS),
        (0x90, AVAILABLE),
        (0xa0, USED),
        (0x44, 1),
        (0x70, 15),
        (0x50, queue),
    ] {
        word(device + register);
        word(value);
    }
    data.resize(0x400, 0);
    for (next, (address, length, flags)) in (1u16..).zip(chain) {
        data.extend(address.to_le_bytes());
        data.extend(length.to_le_bytes());
        data.extend(flags.to_le_bytes());
        data.extend(next.to_le_bytes());
    }
    data.resize(0x500, 0);
    data.extend([1, 0, 1, 0, 0, 0]); // no interrupt; one chain, at 0
    data
}

/// Flags of a descriptor.
pub const NEXT: u16 = 1;
pub const FOR_THE_DEVICE_TO_WRITE: u16 = 2;
