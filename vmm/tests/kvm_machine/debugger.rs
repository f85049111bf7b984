//! gdb itself, on a guest of ours.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use vmm::Machine;
use vmm::kvm::{self, Probe};

use crate::elf;
use crate::guest::{Guest, PATIENCE};
use crate::programs;

/// What gdb says to `commands`, connected to a guest that counts in RAM at 0x1200000.
fn gdb(commands: &[&str]) -> Option<(Guest, String)> {
    let mut guest = Guest::paused(&elf::image(programs::count(), &[0; 8], false))?;
    let socket = guest.path("gdb");
    guest.machine.serve_gdb(&socket).unwrap();
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-ex", "set pagination off", "-ex", "set tcp connect-timeout 60"]);
    gdb.args(["-ex", "set remotetimeout 60", "-ex", "set architecture i386:x86-64"]);
    gdb.arg("-ex").arg(format!("target remote {}", socket.display()));
    for command in commands {
        gdb.args(["-ex", command]);
    }
    let gdb = gdb.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = in_time(gdb.spawn().expect("gdb: apt-get install gdb"));
    let told = [output.stdout, output.stderr].concat();
    Some((guest, String::from_utf8_lossy(&told).into_owned()))
}

/// What `child` said until it ended; one that does not end in time is killed.
fn in_time(mut child: Child) -> Output {
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    // One that has ended is not harmed.
    let _ = child.kill();
    child.wait_with_output().unwrap()
}

/// Whether guests can take exceptions here; a test that needs that says so.
fn takes_exceptions() -> bool {
    let full = kvm::probe() == Probe::Full;
    if !full {
        eprintln!("SKIPPED: no guest can take an exception here");
    }
    full
}

#[test]
fn gdb_sees_processors_as_threads_and_their_registers_and_memory() {
    let commands = ["info threads", "p/x $rip", "x/2bx $rip", "set var *(long *)0x1200000 = 77"];
    let Some((guest, told)) = gdb(&commands) else { return };
    assert!(told.contains("Thread 1.1") && told.contains("Thread 1.2"), "{told}");
    assert!(told.contains("= 0x1000000"), "{told}");
    // mov rsi, imm32
    assert!(told.contains("0x48\t0xc7"), "{told}");
    assert!(guest.word(0x120_0000) >= 77, "{told}");
}

#[test]
fn a_breakpoint_in_a_debug_register_stops_the_guest_and_steps_are_single() {
    // `count` is `mov`, and from 7 bytes on `inc` and `jmp`.
    let commands =
        ["stepi", "p/x $rip", "hbreak *0x1000007", "continue", "x/gd 0x1200000", "delete"];
    let Some((guest, told)) = gdb(&commands) else { return };
    assert!(told.contains("$1 = 0x1000007"), "{told}");
    assert!(told.contains("hit Breakpoint 1, 0x0000000001000007"), "{told}");
    assert!(told.contains("0x1200000:\t1"), "{told}");
    runs_on(guest);
}

#[test]
fn a_breakpoint_in_the_code_stops_the_guest_there_and_leaves_no_trace() {
    if !takes_exceptions() {
        return;
    }
    let commands = ["break *0x1000007", "continue", "x/gd 0x1200000", "x/3bx $rip", "delete"];
    let Some((guest, told)) = gdb(&commands) else { return };
    assert!(told.contains("hit Breakpoint 1, 0x0000000001000007"), "{told}");
    assert!(told.contains("0x1200000:\t0"), "{told}");
    assert!(told.contains("0x48\t0xff\t0x06"), "{told}");
    runs_on(guest);
}

#[test]
fn a_watched_word_stops_the_guest_after_it_changed() {
    if !takes_exceptions() {
        return;
    }
    let commands = ["watch *(long *)0x1200000", "continue", "p *(long *)0x1200000", "delete"];
    let Some((guest, told)) = gdb(&commands) else { return };
    assert!(told.contains("New value = 1"), "{told}");
    assert!(told.contains("$1 = 1"), "{told}");
    runs_on(guest);
}

/// gdb has gone, and the guest counts on.
fn runs_on(mut guest: Guest) {
    let count = guest.word(0x120_0000);
    guest.wait_until("it counts", |guest| guest.word(0x120_0000) > count + 1);
    guest.machine.pause().unwrap();
}
