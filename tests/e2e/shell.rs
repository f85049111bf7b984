//! `kharness shell`: a guest for a person, or for a program at the other end of a pipe.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::bench::{Bench, KHARNESS};

/// Runs the command with `input`, and gives what it printed.
fn shell(command: &mut Command, input: &str) -> Output {
    let bench = Bench::new();
    bench.in_place(command);
    let pipes = [Stdio::piped(), Stdio::piped(), Stdio::piped()];
    let [stdin, stdout, stderr] = pipes;
    let mut child = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn kharness(words: &[&str]) -> Command {
    let mut command = Command::new(KHARNESS);
    command.args(["shell", "-k", "debian"]).args(words);
    command
}

#[test]
fn a_program_reads_standard_input_and_its_output_is_all_that_is_printed() {
    let told = shell(&mut kharness(&["--", "tr", "a-z", "A-Z"]), "from a pipe\n");
    assert_eq!((told.status.code(), told.stdout), (Some(0), b"FROM A PIPE\n".to_vec()));
}

#[test]
fn the_exit_code_of_a_program_counts_and_that_of_a_shell_does_not() {
    let failed = shell(&mut kharness(&["--", "sh", "-c", "exit 5"]), "");
    assert_eq!(failed.status.code(), Some(1));
    let told = String::from_utf8(failed.stderr).unwrap();
    assert!(told.contains("exited with 5"), "{told}");
    let ended = shell(&mut kharness(&[]), "exit 5\n");
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn a_kernel_that_panics_under_the_shell_is_told_and_is_no_success() {
    let told = shell(&mut kharness(&[]), "echo c > /proc/sysrq-trigger\n");
    assert_eq!(told.status.code(), Some(1));
    let words = String::from_utf8(told.stderr).unwrap();
    assert!(words.contains("kernel report panic") && words.contains("CRASH"), "{words}");
}

#[test]
fn a_shell_on_a_terminal_has_one_and_the_programs_of_its_scenario() {
    let bench = Bench::new();
    let scenario = bench.scenario("own", "steps:\n  - run: [kh-hog, --size, 1MiB]\n");
    let kharness = format!("{KHARNESS} shell -k debian {}", scenario.display());
    let mut command = Command::new("script");
    command.args(["--quiet", "--command", &kharness, "/dev/null"]);
    bench.in_place(&mut command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut keys = child.stdin.take().unwrap();
    let told = std::thread::scope(|scope| {
        // Keys that come before the shell takes the terminal over are echoed, and wait for it.
        scope.spawn(move || {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(300) {
                if keys.write_all(b"tty; stty size; kh-hog --size 1MiB && exit\r").is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_secs(2));
            }
        });
        child.wait_with_output().unwrap()
    });
    let words = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success(), "{words}");
    assert!(words.contains("/dev/pts/") && words.contains("24 80"), "{words}");
}
