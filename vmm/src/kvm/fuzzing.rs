//! Entry points for fuzzing: what a guest or a file can bring to the machine, without KVM.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use super::boot::{Request, load};
use super::devices::Devices;
use super::memory::GuestMemory;
use super::outbox::Outbox;

/// RAM of the machines here; small, as it is made anew for each input.
const RAM: u64 = 32 << 20;

/// Loads `image` as a kernel. Whatever it is, this returns.
///
/// # Errors
/// When the host has no room for the image or the RAM; not when the image is bad.
pub fn load_kernel(image: &[u8]) -> io::Result<()> {
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
    let _ = load(&request, &memory);
    Ok(())
}

/// Does to the devices what `script` says, as a guest could: writes to RAM, to device memory and to
/// ports, and reads. Each step takes eight bytes: what, size, two of address, four of value.
///
/// # Errors
/// When the host has no room for the machine.
pub fn drive_devices(script: &[u8]) -> io::Result<()> {
    let outbox = Arc::new(Outbox::default());
    let memory = GuestMemory::new(RAM).map_err(io::Error::other)?;
    let devices = Devices::alone(&memory, &outbox)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_a_script_and_none_is_a_kernel() {
        let bytes: Vec<u8> = (0..=255).cycle().take(4096).collect();
        drive_devices(&bytes).unwrap();
        load_kernel(&bytes).unwrap();
    }
}
