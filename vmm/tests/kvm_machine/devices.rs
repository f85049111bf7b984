//! Devices, driven by a guest.

use vmm::{Content, Disk, Stop};

use crate::elf::DATA;
use crate::guest::Guest;
use crate::programs;
use crate::queue::{BUFFER, FOR_THE_DEVICE_TO_WRITE, NEXT, USED, drive};

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
    let data = drive(0xd000_1000, 0, &[(BUFFER, 64, FOR_THE_DEVICE_TO_WRITE)]);
    let Some(guest) = Guest::boot(programs::write_and_wait(), &data) else { return };
    assert_eq!(guest.finish().stop, Some(Stop::PowerOff));
    assert_eq!(guest.word(USED + 4), 64 << 32, "descriptor 0, 64 bytes written");
    assert_ne!(guest.word(BUFFER), 0);
}

/// A disk of which the second sector says so.
fn disk(dir: &tempfile::TempDir) -> Disk {
    let path = dir.path().join("disk.img");
    std::fs::write(&path, [[0; 512], [7; 512]].concat()).unwrap();
    Disk { content: Content::Image(path), readonly: false }
}

/// A guest that has its disk serve a request of `kind` on the second sector, and what its buffer and the
/// status byte hold then.
fn ask_disk(dir: &tempfile::TempDir, kind: u8, flags: u16) -> Option<(u64, u8)> {
    const HEADER: u64 = DATA + 0x520;
    const STATUS: u64 = DATA + 0xf00;
    let chain =
        [(HEADER, 16, NEXT), (BUFFER, 512, NEXT | flags), (STATUS, 1, FOR_THE_DEVICE_TO_WRITE)];
    let mut data = drive(0xd000_2000, 0, &chain);
    data.resize(0x520, 0);
    data.extend([kind, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    data.resize(0x700, 0);
    data.extend([9; 512]);
    data.resize(0xf00, 0);
    data.push(0xee);
    let image = crate::elf::image(programs::write_and_wait(), &data, false);
    let guest = Guest::with_disks(&image, vec![disk(dir)])?;
    assert_eq!(guest.finish().stop, Some(Stop::PowerOff));
    Some((guest.word(BUFFER), guest.word(STATUS).to_le_bytes()[0]))
}

#[test]
fn a_guest_reads_its_disk_and_what_it_writes_does_not_reach_the_image() {
    let dir = tempfile::tempdir().unwrap();
    let Some(read) = ask_disk(&dir, 0, FOR_THE_DEVICE_TO_WRITE) else { return };
    assert_eq!(read, (0x0707_0707_0707_0707, 0));
    assert_eq!(ask_disk(&dir, 1, 0).unwrap().1, 0);
    assert_eq!(std::fs::read(dir.path().join("disk.img")).unwrap()[512..], [7; 512]);
}

#[test]
fn a_machine_with_disks_is_not_saved_and_one_with_too_many_not_made() {
    use vmm::Machine;
    let dir = tempfile::tempdir().unwrap();
    let image = crate::elf::image(programs::sleep(), &[0], false);
    let Some(mut guest) = Guest::with_disks(&image, vec![disk(&dir)]) else { return };
    guest.machine.pause().unwrap();
    assert!(guest.machine.save().unwrap_err().to_string().contains("disks"));
    assert!(Guest::fails_with_disks(&image, vec![disk(&dir); 7]).contains("7 disks"));
}
