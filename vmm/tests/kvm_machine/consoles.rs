//! Every byte that a guest prints comes out, once and in order.

use vmm::Stop;
use vmm::kvm::ExitKind;

use crate::elf::{self, DATA};
use crate::guest::Guest;
use crate::programs;
use crate::queue::{NEXT, drive};

/// Bytes of no short period, so that a lost or doubled one shows.
fn pattern(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat()
}

/// Boots `program` on `bytes`, checks that they come out, and gives bytes and exits.
fn prints(program: &[u8], bytes: &[u8]) -> Option<u64> {
    let guest = Guest::boot(program, &with_length(bytes))?;
    let outcome = guest.finish();
    assert_eq!(outcome.stop, Some(Stop::PowerOff));
    assert!(outcome.console == bytes, "{} of {} bytes came", outcome.console.len(), bytes.len());
    let exits = guest.machine.exits();
    let count =
        exits.iter().filter(|(kind, _)| *kind != ExitKind::Interrupted).map(|(_, n)| n).sum();
    println!("{} bytes in {count} exits", bytes.len());
    Some(count)
}

#[test]
fn the_serial_port_loses_nothing() {
    prints(programs::serial(), &pattern(64 << 10));
}

#[test]
fn the_early_console_loses_nothing_and_needs_few_exits() {
    let bytes = pattern(64 << 10);
    if let Some(exits) = prints(programs::early_console(), &bytes) {
        assert!(exits < bytes.len() as u64 / 100, "{exits} exits");
    }
}

#[test]
#[ignore = "takes half a minute where KVM emulates every instruction"]
fn a_mebibyte_comes_out_of_each_console() {
    let bytes = pattern(1 << 20);
    prints(programs::serial(), &bytes);
    prints(programs::early_console(), &bytes);
}

#[test]
fn the_virtio_console_takes_a_mebibyte_in_one_exit() {
    const CONSOLE: u64 = 0xd000_0000;
    const OUTPUT: u64 = 1;
    const PIECE: usize = 256 << 10;
    let bytes = pattern(4 * PIECE);
    let piece = |number: u64| (DATA + 0x1000 + number * PIECE as u64, 256 << 10, NEXT);
    let last = (piece(3).0, 256 << 10, 0);
    let mut data = drive(CONSOLE, OUTPUT, &[piece(0), piece(1), piece(2), last]);
    data.resize(0x1000, 0);
    data.extend(&bytes);
    let Some(guest) = Guest::boot(programs::write_and_wait(), &data) else { return };
    let outcome = guest.finish();
    assert_eq!(outcome.stop, Some(Stop::PowerOff));
    assert!(outcome.console == bytes, "{} of {} bytes came", outcome.console.len(), bytes.len());
    let exits = guest.machine.exits();
    let writes = exits.iter().find(|(kind, _)| *kind == ExitKind::MemoryWrite).unwrap().1;
    // Eleven set the device up.
    assert_eq!(writes, 12);
    println!("{} bytes in {} exit", bytes.len(), writes - 11);
}

#[test]
fn pvh_enters_in_32_bit_mode_with_its_start_info() {
    let image = elf::image(programs::pvh(), &[0], true);
    let Some(guest) = Guest::boot_image(&image) else { return };
    let outcome = guest.finish();
    assert_eq!(outcome.console, 0x336e_c578_u32.to_le_bytes());
    assert_eq!(outcome.stop, Some(Stop::PowerOff));
}

#[test]
fn a_guest_that_floods_the_console_waits_for_its_reader_and_can_be_stopped() {
    use vmm::{Event, Machine};
    let Some(mut guest) = Guest::boot(programs::chatter(), &[0]) else { return };
    std::thread::sleep(std::time::Duration::from_millis(300));
    guest.machine.pause().unwrap();
    guest.machine.resume().unwrap();
    guest.machine.stop();
    let last = guest.events.iter().last();
    assert_eq!(last, Some(Event::Stopped(Stop::Asked)));
}
