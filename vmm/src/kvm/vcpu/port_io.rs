//! Port accesses, single and repeated.

use kvm_bindings::{KVM_EXIT_IO, KVM_EXIT_IO_IN, kvm_run};

use crate::kvm::devices::{Devices, Request};

/// Serves the port access that the guest came out for: `count` elements of `size` bytes (1, 2 or 4).
pub(super) fn serve(run: &mut kvm_run, devices: &Devices) -> Option<Request> {
    if run.exit_reason != KVM_EXIT_IO {
        return None;
    }
    let page = &raw mut *run;
    // SAFETY: the exit reason says that this member of the union holds.
    let io = unsafe { (*page).__bindgen_anon_1.io };
    let length = io.count as usize * usize::from(io.size);
    // SAFETY: KVM puts the data into the same mapping, at this offset, and nothing else refers to it.
    let data = unsafe {
        let start = page.cast::<u8>().add(usize::try_from(io.data_offset).unwrap_or(0));
        std::slice::from_raw_parts_mut(start, length)
    };
    let size = usize::from(io.size).max(1);
    if u32::from(io.direction) == KVM_EXIT_IO_IN {
        data.chunks_mut(size).for_each(|element| read(devices, io.port, element));
        None
    } else {
        // The first request counts: there is nothing after it for the guest.
        data.chunks(size).find_map(|element| write(devices, io.port, element))
    }
}

/// All devices here are eight bits wide, so a wider access goes to the ports that follow as well.
fn read(devices: &Devices, port: u16, element: &mut [u8]) {
    for (port, byte) in ports_from(port).zip(element) {
        *byte = devices.read_port(port);
    }
}

fn write(devices: &Devices, port: u16, element: &[u8]) -> Option<Request> {
    ports_from(port).zip(element).find_map(|(port, byte)| devices.write_port(port, *byte))
}

fn ports_from(port: u16) -> impl Iterator<Item = u16> {
    (0..).map(move |offset| port.wrapping_add(offset))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kvm::memory::GuestMemory;
    use crate::kvm::outbox::Outbox;

    /// Values that mean something to some device, and others.
    const VALUES: [u32; 5] = [0, 0x0101_0101, 0x3434_3434, 0xfefe_fefe, 0xffff_ffff];

    fn devices() -> (Devices, Arc<Outbox>) {
        let outbox = Arc::new(Outbox::default());
        let memory = GuestMemory::new(4 << 20).unwrap();
        (Devices::alone(&memory, &outbox, Vec::new()).unwrap(), outbox)
    }

    #[test]
    fn every_port_takes_every_size_and_a_wide_access_goes_to_the_ports_that_follow() {
        let (devices, outbox) = devices();
        for size in [1, 2, 4] {
            for port in 0..=u16::MAX {
                for value in VALUES {
                    let request = write(&devices, port, &value.to_le_bytes()[..size]);
                    let reached = |one: u16| (0..4).take(size).any(|n| port.wrapping_add(n) == one);
                    let expected = match value {
                        0x0101_0101 if reached(0x602) => Some(Request::Reset),
                        0xfefe_fefe if reached(0x64) => Some(Request::Reset),
                        0x3434_3434 if reached(0x600) => Some(Request::PowerOff),
                        _ => None,
                    };
                    assert_eq!(request, expected, "{value:#x} of {size} bytes to {port:#x}");
                }
                // Panics are told again and again, and wait for who listens.
                outbox.take(std::time::Duration::ZERO);
                let mut element = [0; 4];
                read(&devices, port, &mut element[..size]);
                for (one, byte) in ports_from(port).zip(&element[..size]) {
                    assert!(*byte == 0xff || is_known(one), "{one:#x} reads {byte:#x}");
                }
            }
        }
    }

    fn is_known(port: u16) -> bool {
        matches!(port, 0x3f8..=0x3ff | 0x60 | 0x64 | 0x505 | 0x600 | 0x601)
    }
}
