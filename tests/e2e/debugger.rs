//! `kharness debug`, with gdb itself.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bench::{Bench, CLEAN, KHARNESS, Outcome};

/// More than a stock kernel takes to boot on a host under load.
const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until there is a file at `path`.
pub fn wait_for(path: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < deadline, "{} in time", path.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What gdb says to `commands`, on the server at `socket`.
pub fn gdb(socket: &Path, commands: &[&str]) -> String {
    let mut gdb = Command::new("timeout");
    gdb.args(["120", "gdb", "-nx", "-batch", "-ex", "set pagination off"]);
    gdb.args(["-ex", "set architecture i386:x86-64"]);
    gdb.arg("-ex").arg(format!("target remote {}", socket.display()));
    for command in commands {
        gdb.args(["-ex", command]);
    }
    let output = gdb.stdin(Stdio::null()).output().expect("gdb: apt-get install gdb");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn gdb_stops_a_guest_at_a_step_and_its_leaving_lets_the_scenario_end() {
    let bench = Bench::with("clean", &CLEAN.replace("cpus: 1", "cpus: 2"));
    let socket = bench.path("gdb");
    let mut command = Command::new(KHARNESS);
    command.args(["debug", "--at", "s1", "--socket"]).arg(&socket).args(&bench.arguments()[1..]);
    bench.in_place(&mut command);
    let outcome = std::thread::scope(|scope| {
        let run = scope.spawn(|| Outcome::of(&mut command));
        wait_for(&socket);
        let told = gdb(&socket, &["info threads", "p/x $cs", "x/i $rip", "stepi", "detach"]);
        assert!(told.contains("Thread 1.1") && told.contains("Thread 1.2"), "{told}");
        // __KERNEL_CS: an idle guest, or one in a system call.
        assert!(told.contains("$1 = 0x10") || told.contains("$1 = 0x33"), "{told}");
        assert!(told.contains("=> 0x"), "{told}");
        run.join().unwrap()
    });
    outcome.assert_code(0).assert_told(&["gdb -ex 'target remote", "before step s1"]);
    assert_eq!(outcome.result("clean")["status"], "pass");
}
