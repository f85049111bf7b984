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
