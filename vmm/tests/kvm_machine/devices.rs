//! Devices, driven by a guest.

use vmm::Stop;

use crate::elf::DATA;
use crate::guest::Guest;
use crate::programs;

const PANIC: u16 = 0x505;
const KEYBOARD_COMMAND: u16 = 0x64;
const ACPI_RESET: u16 = 0x602;
const SLEEP_CONTROL: u16 = 0x600;

fn write_port(port: u16, value: u8) -> Option<Guest> {
    let port = port.to_le_bytes();
    Guest::boot(programs::write_port(), &[0, value, port[0], port[1]])
}

#[test]
fn power_off_and_each_way_to_reset_are_told_apart() {
    for (port, value, stop) in [
        (SLEEP_CONTROL, 0x34, Stop::PowerOff),
        (KEYBOARD_COMMAND, 0xfe, Stop::Reset),
        (ACPI_RESET, 1, Stop::Reset),
    ] {
        let Some(guest) = write_port(port, value) else { return };
        assert_eq!(guest.finish().stop, Some(stop), "port {port:#x}");
    }
}

#[test]
fn a_panic_is_reported_and_the_guest_goes_on() {
    use vmm::{Event, Machine};
    let Some(mut guest) = write_port(PANIC, 1) else { return };
    assert_eq!(guest.events.recv_timeout(crate::guest::PATIENCE), Ok(Event::Panicked));
    guest.machine.stop();
    assert_eq!(guest.finish().stop, Some(Stop::Asked));
}

#[test]
fn the_entropy_device_answers_through_its_queue() {
    const DESCRIPTORS: u64 = DATA + 0x400;
    const AVAILABLE: u64 = DATA + 0x500;
    const USED: u64 = DATA + 0x600;
    const BUFFER: u64 = DATA + 0x700;
    const DEVICE: u64 = 0xd000_1000;

    let mut data = Vec::new();
    let mut word = |value: u64| data.extend(value.to_le_bytes());
    word(USED + 2);
    word(0);
    for (register, value) in [
        (0x70, 3),
        (0x24, 1),
        (0x20, 1), // VIRTIO_F_VERSION_1
        (0x70, 11),
        (0x30, 0),
        (0x38, 4),
        (0x80, DESCRIPTORS),
        (0x90, AVAILABLE),
        (0xa0, USED),
        (0x44, 1),
        (0x70, 15),
        (0x50, 0),
    ] {
        word(DEVICE + register);
        word(value);
    }
    data.resize(0x400, 0);
    data.extend(BUFFER.to_le_bytes());
    data.extend(64u32.to_le_bytes());
    data.extend([2, 0, 0, 0]); // for the device to write
    data.resize(0x500, 0);
    data.extend([1, 0, 1, 0, 0, 0]); // no interrupt; one chain, at 0

    let Some(guest) = Guest::boot(programs::write_and_wait(), &data) else { return };
    assert_eq!(guest.finish().stop, Some(Stop::PowerOff));
    assert_eq!(guest.word(USED + 4), 64 << 32, "descriptor 0, 64 bytes written");
    assert_ne!(guest.word(BUFFER), 0);
}
