//! A machine that was put back is as it was: registers, devices, and every byte of RAM.

use vmm::Machine;

use crate::elf::DATA;
use crate::guest::{Guest, Template};
use crate::programs;

const GO: u64 = DATA;
const DONE: u64 = DATA + 8;
const PAGE: u64 = 4096;

/// Runs a guest that was told to go on until it is done, and pauses it.
fn go(guest: &mut Guest, number: u64) {
    guest.set_word(GO, number);
    guest.machine.resume().unwrap();
    guest.wait_until("it is done", |guest| guest.word(DONE) == 1);
    guest.machine.pause().unwrap();
}

#[test]
fn what_a_guest_wrote_is_put_back_and_nothing_else() {
    let Some(guest) = Guest::boot(programs::write_pages(), &[0; 16]) else { return };
    let mut guest = guest.save().fork_to_reset();
    for pages in [1, 10, 100, 1, 1000] {
        go(&mut guest, pages);
        assert_ne!(guest.word(0x200_0000), 0);
        let written = guest.machine.reset_and_compare().unwrap() / PAGE;
        // Besides those: its data, the page that it was told in, and page tables.
        assert!((pages..pages + 8).contains(&written), "{pages}: {written}");
        assert_eq!(guest.word(DONE), 0);
    }
}

#[test]
fn a_guest_that_did_nothing_needs_nothing_put_back() {
    let Some(guest) = Guest::boot(programs::sleep(), &[0]) else { return };
    let mut guest = guest.save().fork_to_reset();
    guest.machine.reset().unwrap();
    assert_eq!(guest.machine.reset_and_compare().unwrap(), 0);
}

#[test]
fn registers_are_put_back() {
    let Some(guest) = Guest::boot(programs::count_aloud(), &[0]) else { return };
    let mut guest = guest.save().fork_to_reset();
    let (rip, rax) = (guest.register("RIP"), guest.register("RAX"));
    for _ in 0..10 {
        guest.machine.resume().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(3));
        guest.machine.pause().unwrap();
        guest.machine.reset_and_compare().unwrap();
        assert_eq!((guest.register("RIP"), guest.register("RAX")), (rip, rax));
    }
}

#[test]
fn the_clock_is_put_back_and_goes_on() {
    const CLOCK: u64 = DATA + 16;
    let Some(guest) = Guest::boot(programs::remember(), &[0; 64]) else { return };
    guest.wait_until("it counts", |guest| guest.word(DATA + 8) > 10);
    let mut guest = guest.save().fork_to_reset();
    let start = guest.word(CLOCK);
    for _ in 0..3 {
        guest.machine.resume().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100));
        guest.machine.pause().unwrap();
        let ran = guest.word(CLOCK);
        // A clock that is not put back would be further on each time: three times 100 ms by now.
        assert!(ran > start, "{start} {ran}");
        assert_eq!(guest.word(DATA + 24), 0, "it never went back");
        guest.machine.reset_and_compare().unwrap();
        assert_eq!(guest.word(CLOCK), start);
    }
}

/// A guest that has set the entropy device up, and asks it for bytes once it is told.
fn with_entropy() -> Option<Template> {
    const DESCRIPTORS: u64 = DATA + 0x400;
    const AVAILABLE: u64 = DATA + 0x500;
    const DEVICE: u64 = 0xd000_1000;
    let mut data = vec![0; 16];
    let mut word = |value: u64| data.extend(value.to_le_bytes());
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
    ] {
        word(DEVICE + register);
        word(value);
    }
    word(0);
    word(0);
    word(DEVICE + 0x50); // notify
    word(0);
    data.resize(0x400, 0);
    data.extend(BUFFER.to_le_bytes());
    data.extend(64u32.to_le_bytes());
    data.extend([2, 0, 0, 0]); // for the device to write
    data.resize(0x500, 0);
    data.extend([1, 0, 1, 0, 0, 0]); // no interrupt; one chain, at 0
    let guest = Guest::boot(programs::write_wait_write(), &data)?;
    std::thread::sleep(std::time::Duration::from_millis(50));
    Some(guest.save())
}

const USED: u64 = DATA + 0x600;
/// Far from the rest, so that only the device writes to its page.
const BUFFER: u64 = 0x300_0000;

#[test]
fn a_device_that_was_set_up_before_serves_each_copy_once() {
    let Some(template) = with_entropy() else { return };
    for _ in 0..2 {
        let mut copy = template.fork_paused();
        go(&mut copy, 1);
        assert_eq!(copy.word(USED) >> 16 & 0xffff, 1, "one buffer used");
        assert_ne!(copy.word(BUFFER), 0);
    }
}

#[test]
fn what_a_device_wrote_is_put_back_and_the_device_with_it() {
    let Some(template) = with_entropy() else { return };
    let mut guest = template.fork_to_reset();
    let mut answers = Vec::new();
    for _ in 0..5 {
        go(&mut guest, 1);
        assert_eq!(guest.word(USED) >> 16 & 0xffff, 1, "one buffer used");
        answers.push(guest.word(BUFFER));
        guest.machine.reset_and_compare().unwrap();
        assert_eq!(guest.word(BUFFER), 0);
    }
    answers.sort_unstable();
    answers.dedup();
    assert_eq!(answers.len(), 5, "the device answers anew each time");
}
