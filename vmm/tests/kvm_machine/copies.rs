//! A copy is a copy: it goes on where the saved guest was, and nothing but what it does itself changes it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use vmm::{Machine, Saved, Stop};

use crate::elf::DATA;
use crate::guest::{Guest, Template};
use crate::programs;

const NUMBER: u64 = DATA;
const COUNT: u64 = DATA + 8;
const CLOCK: u64 = DATA + 16;
const CLOCK_WENT_BACK: u64 = DATA + 24;
const QUESTION: u64 = DATA + 32;
const ANSWER: u64 = DATA + 40;

/// A guest that has remembered and counted, and is saved; its number, count and clock.
fn template() -> Option<(Template, [u64; 3])> {
    let guest = Guest::boot(programs::remember(), &[0; 64])?;
    guest.wait_until("it counts", |guest| guest.word(COUNT) > 10);
    let template = guest.save();
    let copy = template.fork_paused();
    let words = [NUMBER, COUNT, CLOCK].map(|address| copy.word(address));
    Some((template, words))
}

#[test]
fn a_copy_knows_the_number_that_only_the_saved_guest_knew_and_counts_on() {
    let Some((template, [number, count, _])) = template() else { return };
    assert_ne!(number, 0);
    for _ in 0..3 {
        let copy = template.fork();
        copy.wait_until("it counts on", |copy| copy.word(COUNT) > count + 10);
        assert_eq!(copy.word(NUMBER), number);
    }
}

#[test]
fn the_clock_of_a_copy_goes_on_from_that_of_the_saved_guest() {
    let begin = counter();
    let Some((template, [_, count, saved])) = template() else { return };
    // So that a clock that followed the host's would be seen.
    std::thread::sleep(Duration::from_millis(300));
    let start = counter();
    let copy = template.fork();
    copy.wait_until("it counts on", |copy| copy.word(COUNT) > count + 100);
    let (clock, now) = (copy.word(CLOCK), counter());
    assert_eq!(copy.word(CLOCK_WENT_BACK), 0);
    assert!(clock >= saved);
    if saved > start - begin {
        eprintln!("SKIPPED: this KVM shows its guests the host's counter");
        return;
    }
    assert!(clock < saved + (now - start), "{saved} {clock}, {} later", now - start);
}

/// The time stamp counter of the host.
fn counter() -> u64 {
    // SAFETY: every x86-64 processor has it.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[test]
fn copies_differ_in_what_they_did_and_in_nothing_else() {
    let Some((template, [number, count, _])) = template() else { return };
    let copies = [7, 8].map(|question| {
        let copy = template.fork();
        copy.wait_until("it counts on", |copy| copy.word(COUNT) > count);
        copy.set_word(QUESTION, question);
        let outcome = copy.finish();
        assert_eq!(outcome.stop, Some(Stop::PowerOff));
        assert_eq!(outcome.console[..8], number.to_le_bytes());
        assert_eq!(copy.word(ANSWER), question);
        copy
    });
    let [first, second] = copies.each_ref().map(Guest::all_memory);
    let differing: Vec<usize> = first
        .chunks(4096)
        .zip(second.chunks(4096))
        .enumerate()
        .filter(|(_, (one, other))| one != other)
        .map(|(page, _)| page * 4096)
        .collect();
    assert_eq!(differing, [usize::try_from(DATA).unwrap()]);
    assert_eq!(template.fork_paused().word(ANSWER), 0, "the template is as it was");
}

#[test]
fn a_copy_can_be_saved_and_copied_in_its_turn() {
    let Some((template, [number, count, _])) = template() else { return };
    let child = template.fork();
    child.wait_until("it counts on", |child| child.word(COUNT) > count + 10);
    let grandchild = child.save().fork();
    assert!(grandchild.word(COUNT) > count + 10);
    grandchild.set_word(QUESTION, 1);
    assert_eq!(grandchild.finish().console[..8], number.to_le_bytes());
    assert_eq!(template.fork_paused().word(COUNT), count);
}

#[test]
fn what_a_guest_was_saying_as_it_was_saved_is_said_once() {
    for round in 0..10 {
        let Some(mut guest) = Guest::boot(programs::count_aloud(), &[0]) else { return };
        let mut words = guest.first_words();
        std::thread::sleep(Duration::from_micros(round * 100));
        guest.machine.pause().unwrap();
        let saved = guest.machine.save().unwrap();
        guest.machine.stop();
        words.extend(guest.finish().console);
        let mut copy = guest.into_template(saved).fork();
        words.extend(copy.first_words());
        copy.machine.stop();
        words.extend(copy.finish().console);
        let expected: Vec<u8> = (0..=255).cycle().take(words.len()).collect();
        assert!(words == expected, "round {round}");
    }
}

#[test]
fn a_copy_of_a_guest_that_never_ran_runs() {
    let image = crate::elf::image(programs::serial(), b"\x05\0\0\0\0\0\0\0hello", false);
    let Some(guest) = Guest::paused(&image) else { return };
    let outcome = guest.save().fork().finish();
    assert_eq!((outcome.console.as_slice(), outcome.stop), (&b"hello"[..], Some(Stop::PowerOff)));
}

#[test]
fn a_copy_can_be_stopped_at_any_moment_and_its_siblings_live_on() {
    let Some((template, [number, ..])) = template() else { return };
    let survivor = template.fork();
    for round in 0..20 {
        let mut copy = template.fork();
        std::thread::sleep(Duration::from_micros(round * 50));
        copy.machine.stop();
        assert_eq!(copy.finish().stop, Some(Stop::Asked));
    }
    survivor.set_word(QUESTION, 1);
    assert_eq!(survivor.finish().console[..8], number.to_le_bytes());
}

#[test]
fn bytes_that_wait_for_the_agent_reach_a_copy_and_only_a_machine_at_rest_is_saved() {
    let Some(mut guest) = Guest::boot(programs::count(), &[0; 8]) else { return };
    assert!(guest.machine.save().is_err(), "it runs");
    guest.machine.send_control(b"for the agent").unwrap();
    let mut copy = guest.save().fork();
    copy.machine.pause().unwrap();
    let text = std::str::from_utf8(&state_of(&copy.save())).unwrap().to_owned();
    let waiting = serde_json::to_string(b"for the agent").unwrap();
    assert!(text.contains(&format!("\"to_agent\":{waiting}")));
}

/// The JSON of a saved state.
fn state_of(template: &Template) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let file = &template.saved.state;
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes.split_off(24)
}

#[test]
fn a_copy_can_be_made_of_what_was_on_disk_meanwhile() {
    let Some((template, [number, count, _])) = template() else { return };
    let dir = tempfile::tempdir().unwrap();
    let through_disk = |name: &str, from: &File| {
        let path = dir.path().join(name);
        let mut bytes = vec![0; usize::try_from(from.metadata().unwrap().len()).unwrap()];
        from.read_exact_at(&mut bytes, 0).unwrap();
        fs::write(&path, bytes).unwrap();
        sealed(&fs::read(&path).unwrap())
    };
    let Template { saved, .. } = &template;
    let memory = through_disk("memory", &saved.memory);
    let state = through_disk("state", &saved.state);
    let later = template.with(Saved { memory, state });
    for _ in 0..2 {
        let copy = later.fork();
        copy.wait_until("it counts on", |copy| copy.word(COUNT) > count + 10);
        assert_eq!(copy.word(NUMBER), number);
    }
}

/// A file that nobody can change, with `bytes`.
fn sealed(bytes: &[u8]) -> File {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = File::from(memfd_create("read-again", flags).unwrap());
    file.write_all_at(bytes, 0).unwrap();
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE).unwrap();
    file
}
