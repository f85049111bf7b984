//! One processor is held, and the other goes on.

use std::io::ErrorKind;
use std::thread;
use std::time::Duration;

use vmm::{Machine, Stop};

use crate::elf::DATA;
use crate::guest::Guest;
use crate::programs;

/// Where each of the two processors counts.
const COUNTS: [u64; 2] = [DATA, 0x7000];

/// Long enough that a processor which is not held counts.
const HOLD: Duration = Duration::from_millis(300);

fn counts(guest: &Guest) -> [u64; 2] {
    COUNTS.map(|address| guest.word(address) & 0xffff_ffff)
}

fn two_counters() -> Option<Guest> {
    let guest = Guest::boot(programs::two_counters(), &[0; 8])?;
    guest.wait_until("both count", |guest| counts(guest).iter().all(|count| *count > 10));
    Some(guest)
}

#[test]
fn a_held_processor_does_nothing_while_the_other_goes_on_and_then_it_goes_on_too() {
    let Some(mut guest) = two_counters() else { return };
    for held in [0, 1] {
        let other = 1 - held;
        let mut holder = guest.machine.holder().unwrap();
        assert_eq!(holder.cpus(), 2);
        let (early, late) = thread::scope(|scope| {
            let hold = scope.spawn(move || holder.hold(held, HOLD));
            thread::sleep(HOLD / 3);
            let early = counts(&guest);
            thread::sleep(HOLD / 3);
            let late = counts(&guest);
            hold.join().unwrap().unwrap();
            (early, late)
        });
        assert_eq!(early[held], late[held], "processor {held} was held");
        assert!(late[other] > early[other], "processor {other} was not");
        guest.wait_until("it counts on", |guest| counts(guest)[held] > late[held]);
    }
}

#[test]
fn a_machine_is_paused_saved_and_stopped_while_a_processor_is_held() {
    let Some(mut guest) = two_counters() else { return };
    let mut holder = guest.machine.holder().unwrap();
    let hold = thread::spawn(move || {
        holder.hold(1, HOLD).unwrap();
        holder
    });
    thread::sleep(HOLD / 3);
    guest.machine.pause().unwrap();
    let saved = guest.machine.save().unwrap();
    let before = counts(&guest);
    let mut holder = hold.join().unwrap();
    assert_eq!(counts(&guest), before, "the end of a hold does not end a pause");
    guest.machine.resume().unwrap();
    guest.wait_until("both count on", |guest| (0..2).all(|cpu| counts(guest)[cpu] > before[cpu]));
    guest.machine.stop();
    assert_eq!(guest.finish().stop, Some(Stop::Asked));
    assert_eq!(holder.hold(1, Duration::ZERO).unwrap_err().kind(), ErrorKind::NotFound);
    let copy = guest.into_template(saved).fork();
    copy.wait_until("both count in a copy", |copy| {
        (0..2).all(|cpu| counts(copy)[cpu] > before[cpu])
    });
}
