//! Pause, resume, stop: bounded, whatever the guest does.

use std::thread;
use std::time::{Duration, Instant};

use vmm::{Event, Machine, Stop};

use crate::elf::{CODE, DATA};
use crate::guest::{Guest, PATIENCE};
use crate::programs;

/// How long an order to a guest may take; less than the machine's own patience with KVM.
const PROMPT: Duration = Duration::from_secs(3);

fn wait_until_it_counts(guest: &Guest) {
    let deadline = Instant::now() + PATIENCE;
    while guest.word(DATA) == 0 {
        assert!(Instant::now() < deadline, "the guest does not run");
        thread::yield_now();
    }
}

fn promptly<T>(what: &str, order: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = order();
    let elapsed = start.elapsed();
    assert!(elapsed < PROMPT, "{what} took {elapsed:?}");
    result
}

#[test]
fn a_paused_guest_stands_still_and_a_resumed_one_goes_on() {
    let Some(mut guest) = Guest::boot(programs::count(), &[0; 8]) else { return };
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(2));
        promptly("pausing", || guest.machine.pause()).unwrap();
        let counted = guest.word(DATA);
        assert!((CODE..CODE + 32).contains(&guest.register("RIP")));
        thread::sleep(Duration::from_millis(2));
        assert_eq!(guest.word(DATA), counted);
        guest.machine.resume().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while guest.word(DATA) == counted {
            assert!(Instant::now() < deadline, "the guest does not go on");
            thread::yield_now();
        }
    }
}

#[test]
fn the_pages_that_a_guest_writes_are_noted_once() {
    let Some(mut guest) = Guest::boot(programs::count(), &[0; 8]) else { return };
    wait_until_it_counts(&guest);
    guest.machine.note_writes(true).unwrap();
    let before = guest.word(0x120_0000);
    guest.wait_until("it counts on", |guest| guest.word(0x120_0000) > before + 1);
    guest.machine.pause().unwrap();
    // Page tables are marked as used by KVM, not by the guest; there is nothing else that it writes.
    let written = guest.machine.written_pages().unwrap();
    assert!(written.contains(&0x120_0000), "{written:x?}");
    assert!(written.len() < 16, "{written:x?}");
    assert_eq!(guest.machine.written_pages().unwrap(), Vec::<u64>::new());
    guest.machine.note_writes(false).unwrap();
    assert!(guest.machine.written_pages().is_err());
}

#[test]
fn a_guest_asleep_with_interrupts_off_can_be_paused_and_stopped() {
    let Some(mut guest) = Guest::boot(programs::sleep(), &[0]) else { return };
    thread::sleep(Duration::from_millis(20));
    promptly("pausing", || guest.machine.pause()).unwrap();
    guest.machine.resume().unwrap();
    promptly("stopping", || {
        guest.machine.stop();
        assert_eq!(guest.finish().stop, Some(Stop::Asked));
    });
}

#[test]
fn a_paused_guest_can_be_stopped_and_stopping_twice_is_fine() {
    let Some(mut guest) = Guest::boot(programs::count(), &[0; 8]) else { return };
    guest.machine.pause().unwrap();
    guest.machine.stop();
    guest.machine.stop();
    assert_eq!(guest.finish().stop, Some(Stop::Asked));
    guest.machine.pause().unwrap();
    assert!(guest.machine.send_control(b"too late").is_err());
}

#[test]
fn registers_are_those_of_a_paused_processor_that_exists() {
    let Some(mut guest) = Guest::boot(programs::count(), &[0; 8]) else { return };
    wait_until_it_counts(&guest);
    guest.machine.pause().unwrap();
    assert_eq!(guest.register("RSI"), DATA);
    assert_eq!(guest.register("CR3"), 0x9000);
    assert!(guest.machine.registers(1).is_ok());
    assert!(guest.machine.registers(2).is_err());
}

#[test]
fn a_fault_without_a_handler_is_a_triple_fault() {
    let Some(guest) = Guest::boot(programs::fault(), &[0]) else { return };
    assert_eq!(guest.finish().stop, Some(Stop::TripleFault));
}

#[test]
fn when_kvm_gives_up_the_registers_are_told() {
    let Some(guest) = Guest::boot(programs::lost(), &[0]) else { return };
    match guest.finish().stop {
        Some(Stop::Internal(words)) => {
            assert!(words.contains("internal error of KVM"), "{words}");
            assert!(words.contains("RIP 0xd0000000"), "{words}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_machine_dropped_by_a_harness_that_reads_nothing_ends() {
    let Some(guest) = Guest::boot(programs::chatter(), &[0]) else { return };
    thread::sleep(Duration::from_millis(50));
    let Guest { machine, events, .. } = guest;
    promptly("dropping", || drop(machine));
    assert!(events.iter().all(|event| event != Event::Panicked));
}

#[test]
fn the_threads_of_a_guest_are_confined_before_it_runs() {
    let Some(guest) = Guest::boot(programs::count(), &[0; 8]) else { return };
    wait_until_it_counts(&guest);
    let statuses: Vec<_> = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok())
        .filter(|status| status.starts_with("Name:\tvcpu0"))
        .collect();
    assert!(!statuses.is_empty());
    // Other tests have guests as well, whose threads may just be starting; one is known to run.
    let confined = |status: &&String| {
        ["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"]
            .iter()
            .all(|line| status.contains(line))
    };
    assert!(statuses.iter().filter(confined).count() > 0, "{statuses:?}");
}

#[test]
fn a_machine_tells_its_exits_by_kind_and_what_it_took_until_its_guest_ran() {
    let Some(guest) = Guest::boot(programs::serial(), b"\x03\0\0\0\0\0\0\0abc") else { return };
    assert_eq!(guest.finish().stop, Some(Stop::PowerOff));
    let metrics = guest.machine.metrics();
    println!("{metrics:?}");
    let metric = |name: &str| metrics.iter().find(|(known, _)| known == name).unwrap().1;
    // Three bytes, which some hosts batch, and the power-off.
    assert!((2.0..=4.0).contains(&metric("exits.port-write")), "{metrics:?}");
    assert!(metric("exits.mmio-read") < 1.0, "{metrics:?}");
    assert!(metric("first_run_ms") > 0.0 && metric("first_run_cpu_ms") > 0.0, "{metrics:?}");
}
