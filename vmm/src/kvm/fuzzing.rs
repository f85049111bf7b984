//! Entry points for fuzzing: what a guest or a file can bring to the machine, without KVM.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use super::boot::{Request, load};
use super::devices::Devices;
use super::memory::GuestMemory;
use super::outbox::Outbox;
use super::snapshot;
use crate::disk::{Content, Disk, Store};

/// RAM of the machines here; small, as it is made anew for each input.
const RAM: u64 = 32 << 20;

/// Loads `image` as a kernel. Whatever it is, this returns; and tells whether it is one.
///
/// # Errors
/// When the host has no room for the image or the RAM; not when the image is bad.
pub fn load_kernel(image: &[u8]) -> io::Result<bool> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(image)?;
    let memory = GuestMemory::new(RAM).map_err(io::Error::other)?;
    let request = Request {
        kernel: &file.path().to_path_buf(),
        initramfs: &[],
        command_line: "quiet",
        cpus: 2,
        virtio_devices: 2,
    };
    // An error is a good answer to a bad image.
    Ok(load(&request, &memory).is_ok())
}

/// Does to the devices what `script` says, as a guest could: writes to RAM, to device memory and to
/// ports, and reads. Each step takes eight bytes: what, size, two of address, four of value.
///
/// # Errors
/// When the host has no room for the machine.
pub fn drive_devices(script: &[u8]) -> io::Result<()> {
    let outbox = Arc::new(Outbox::default());
    let memory = GuestMemory::new(RAM).map_err(io::Error::other)?;
    let disk = Disk { content: Content::Blank(1 << 20), readonly: false };
    let disk = Store::open(&disk).map_err(io::Error::other)?;
    let devices = Devices::alone(&memory, &outbox, vec![disk])?;
    let (steps, _) = script.as_chunks::<8>();
    for [what, size, low, high, value @ ..] in steps {
        let near = u16::from_le_bytes([*low, *high]);
        let mut data = [0; 8];
        data[..4].copy_from_slice(value);
        let data = &mut data[..usize::from(size % 9)];
        let device = 0xd000_0000 + u64::from(near);
        match what % 6 {
            // Device addresses fit in the first 64 KiB of RAM too, where queues can lie.
            0 => memory.write(near.into(), data).map_err(io::Error::other)?,
            1 => devices.write_memory(device, data),
            2 => devices.read_memory(device, data),
            3 => drop(devices.write_port(near, *size)),
            4 => drop(devices.read_port(near)),
            _ => drop(devices.leave_for_agent(value)),
        }
        // As the harness does; else a guest that prints much would wait for it here.
        outbox.take(Duration::ZERO);
    }
    Ok(())
}

/// Reads `bytes` as the state of a saved machine, past its checksum. Whatever they are, this returns.
pub fn read_state(bytes: &[u8]) {
    // An error is a good answer to a bad state.
    let _ = snapshot::understand(bytes);
}

/// The fuzz targets for everybody: bounded, and without instrumentation. `PROPTEST_CASES` makes them longer.
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::boot::test_images;
    use super::*;

    const WRITE_RAM: u8 = 0;
    const WRITE_DEVICE: u8 = 1;

    fn step(what: u8, address: u16, value: u32) -> [u8; 8] {
        let ([low, high], [a, b, c, d]) = (address.to_le_bytes(), value.to_le_bytes());
        [what, 4, low, high, a, b, c, d]
    }

    /// Steps that bring the virtio device on `page` into operation, with `queues` queues of 16 in low RAM.
    fn bring_up(page: u16, queues: u16) -> Vec<[u8; 8]> {
        let set = |register: u16, value: u32| step(WRITE_DEVICE, (page << 12) + register, value);
        // Every feature that the console and the disk offer.
        let features = 1 << 1 | 1 << 2 | 1 << 9;
        let mut steps = vec![set(0x70, 3), set(0x24, 1), set(0x20, 1), set(0x24, 0)];
        steps.push(set(0x20, features & if page == 0 { 2 } else { !0 }));
        steps.push(set(0x70, 11));
        for queue in 0..queues {
            let base = u32::from(queue) * 0x1000;
            steps.extend([set(0x30, queue.into()), set(0x38, 16)]);
            steps.extend([set(0x80, base), set(0x90, base + 0x800), set(0xa0, base + 0xc00)]);
            steps.push(set(0x44, 1));
        }
        steps.push(set(0x70, 15));
        steps
    }

    /// What a driver gone wrong does: descriptors, rings and notifications of any kind.
    fn misuse() -> impl Strategy<Value = [u8; 8]> {
        prop_oneof![
            4 => (0u16..0x6000, any::<u32>()).prop_map(|(at, word)| step(WRITE_RAM, at & !3, word)),
            4 => (0u16..0x1800, 0u32..0x8000).prop_map(|(at, word)| step(WRITE_RAM, at & !3, word)),
            // The index of what is available.
            2 => (0u16..6, 0u32..32).prop_map(|(queue, index)| {
                step(WRITE_RAM, queue * 0x1000 + 0x800, index << 16)
            }),
            3 => (0u16..3, 0u32..7).prop_map(|(page, queue)| {
                step(WRITE_DEVICE, (page << 12) + 0x50, queue)
            }),
            1 => any::<[u8; 8]>(),
        ]
    }

    /// A kernel of both forms that loads.
    fn sound(compressed: bool) -> Vec<u8> {
        match compressed {
            true => test_images::bzimage(&test_images::setup_header()),
            false => test_images::elf(0x100_0000, &[(0x100_0000, &[0xf4; 64], 0x2000)]),
        }
    }

    #[test]
    fn what_the_changes_start_from_is_sound() {
        assert!(load_kernel(&sound(true)).unwrap() && load_kernel(&sound(false)).unwrap());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

        #[test]
        fn no_driver_makes_a_device_panic_or_hang(
            (page, queues) in prop_oneof![Just((0u16, 6u16)), Just((1, 1)), Just((2, 1))],
            steps in proptest::collection::vec(misuse(), 0..200),
        ) {
            let script = [bring_up(page, queues), steps].concat().concat();
            drive_devices(&script).unwrap();
        }

        #[test]
        fn no_bytes_are_a_script_that_makes_a_device_panic(script: Vec<u8>) {
            drive_devices(&script).unwrap();
            read_state(&script);
        }

        #[test]
        fn no_change_to_a_kernel_makes_the_loader_panic(
            compressed: bool,
            changes in proptest::collection::vec((0usize..0x800, any::<u32>()), 0..4),
            cut in prop_oneof![Just(usize::MAX), 0usize..0x1000],
        ) {
            let mut image = sound(compressed);
            for (at, value) in changes {
                let at = at.min(image.len() - 4);
                image[at..at + 4].copy_from_slice(&value.to_le_bytes());
            }
            image.truncate(cut);
            load_kernel(&image).unwrap();
        }
    }
}
