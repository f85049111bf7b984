//! No false green: every step exits with 0 here, or claims to, and no run may pass. The scenarios
//! are in `tests/data/e2e/green`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::{Bench, Outcome, text};
use crate::unbootable;

/// Runs the scenario `name`, which must end with `status` for the reason `cause`.
#[track_caller]
fn caught(name: &str, status: &str, cause: &[&str], arguments: &[&str]) -> Outcome {
    let file = format!("{}/tests/data/e2e/green/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let bench = Bench::with(name, &std::fs::read_to_string(file).unwrap());
    let outcome = bench.run(arguments);
    is_caught(&outcome, name, status, cause);
    outcome
}

#[track_caller]
fn is_caught(outcome: &Outcome, name: &str, status: &str, cause: &[&str]) {
    outcome.assert_code(1);
    let result = outcome.result(name);
    assert_eq!(result["status"], status, "{}", outcome.stderr);
    let told = text(result, "cause");
    for word in cause {
        assert!(told.contains(word), "nothing of {word:?} in {told:?}:\n{}", outcome.stderr);
    }
    // The same line stands in the list, and as the first line of the details.
    let word = status.to_uppercase();
    outcome.assert_told(&[&format!("{name}: {told}"), &format!("─── {word} {name}: {told}\n")]);
}

/// The step whose program reports success.
#[track_caller]
fn green(outcome: &Outcome) -> &Value {
    let steps = outcome.document["results"][0]["steps"].as_array().unwrap();
    steps.iter().find(|step| step["id"] == "green").unwrap()
}

#[track_caller]
fn assert_exits_with_0(outcome: &Outcome) {
    assert_eq!(green(outcome)["exit"], 0, "{}", outcome.stderr);
}

#[test]
fn a_warning_fails_a_step_that_exits_with_0() {
    let outcome = caught("warning", "fail", &["kernel report warning in step green: WARN"], &[]);
    assert_exits_with_0(&outcome);
}

#[test]
fn an_oops_that_the_kernel_survives_is_a_crash() {
    let cause = "kernel report oops.page-fault in step green: BUG: unable to handle";
    assert_exits_with_0(&caught("oops", "crash", &[cause], &[]));
}

#[test]
fn a_panic_before_the_agent_is_a_crash() {
    let cause = ["kernel report panic: ", "Unable to mount root fs", "before the agent answered"];
    caught("early-panic", "crash", &cause, &[]);
}

#[test]
fn a_panic_after_the_last_step_is_a_crash() {
    let cause = ["kernel report panic in step green: ", "sysrq triggered crash"];
    assert_exits_with_0(&caught("late-panic", "crash", &cause, &[]));
}

#[test]
fn a_silent_hang_is_a_timeout_that_says_so() {
    let cause = ["step took more than 5s", "does not answer: it hangs in step green"];
    caught("hang", "timeout", &cause, &["--timeout-scale", "1"]);
}

#[test]
fn a_reset_is_a_crash() {
    caught("reset", "crash", &["the guest reset itself in step green"], &[]);
}

#[test]
fn a_triple_fault_is_a_crash_and_told_from_a_reset() {
    caught("triple-fault", "crash", &["the guest died of a triple fault in step green"], &[]);
}

#[test]
fn a_frozen_agent_is_a_timeout_although_the_kernel_runs_on() {
    let cause = ["step took more than 3s", "does not answer", "in step green"];
    caught("frozen-agent", "timeout", &cause, &["--timeout-scale", "1"]);
}

#[test]
fn an_agent_that_loses_its_channel_is_a_crash() {
    let outcome = caught("lost-channel", "crash", &["in step green"], &[]);
    outcome.assert_told(&["the control channel has closed"]);
}

#[test]
fn an_oom_kill_fails_a_step_that_exits_with_0() {
    let outcome = caught("oom-kill", "fail", &["kernel report oom.kill in step green"], &[]);
    assert_exits_with_0(&outcome);
}

#[test]
fn a_program_that_switches_the_machine_off_is_a_crash() {
    let outcome =
        caught("power-off", "crash", &["the guest powered itself off in step green"], &[]);
    let steps = &outcome.document["results"][0]["steps"];
    assert_eq!(steps[1]["status"], "not-run");
}

#[test]
fn what_a_program_prints_cannot_turn_a_failure_green() {
    let outcome = caught("forged", "fail", &["step green (shell) exited with 7"], &[]);
    let green = green(&outcome);
    assert!(text(green, "stdout").contains("ok 1 all"), "{green}");
    // The control channel belongs to the agent alone.
    assert!(!text(green, "stdout").contains("took it"), "{green}");
    assert!(text(green, "stderr").contains("busy"), "{green}");
    assert_eq!(outcome.document["results"][0]["steps"][1]["status"], "not-run");
}

const UNBOOTABLE: &str = "machine: { cpus: 1, memory: 256MiB }\ntimeout: { boot: 3s }\nsteps:\n  \
    - run: [uname]\n";

#[test]
fn a_kernel_that_does_nothing_fails_soon_after_the_boot_timeout() {
    let bench = Bench::with("dead", UNBOOTABLE);
    // hlt, with interrupts off.
    let image = unbootable::vmlinux(&bench.path("vmlinux"), &[0xf4]);
    let outcome = bench.run(["--timeout-scale", "1", "-k", &image]);
    is_caught(&outcome, "dead", "timeout", &["boot took more than 3s before the agent answered"]);
    assert!(outcome.took < Duration::from_secs(20), "{:?}", outcome.took);
    assert_eq!(outcome.result("dead")["attempts"][0]["boot_ms"], json!(null));
}

#[test]
fn a_kernel_that_faults_at_its_first_instruction_fails_at_once() {
    let bench = Bench::with("faulty", UNBOOTABLE);
    // ud2, without a handler for it.
    let image = unbootable::vmlinux(&bench.path("vmlinux"), &[0x0f, 0x0b]);
    let outcome = bench.run(["--timeout-scale", "4", "-k", &image]);
    let cause = ["the guest died of a triple fault before the agent answered"];
    is_caught(&outcome, "faulty", "crash", &cause);
}

#[test]
fn a_kernel_that_hangs_before_the_agent_shows_its_last_console_lines() {
    let hanging = UNBOOTABLE.replace("256MiB", "256MiB, cmdline: 'rdinit=/bin/sleep -- 1000'");
    let bench = Bench::with("hanging", &hanging.replace("3s", "6s"));
    let outcome = bench.run(["--timeout-scale", "1"]);
    is_caught(&outcome, "hanging", "timeout", &["boot took more than 6s"]);
    let excerpt = outcome.result("hanging")["excerpt"].as_array().unwrap();
    let console = std::fs::read_to_string(bench.run_dir().join("hanging/console.log")).unwrap();
    let last = console.lines().last().unwrap().trim_end();
    assert_eq!(excerpt.last().unwrap(), last);
    outcome.assert_told(&[last]);
    assert!(outcome.took < Duration::from_secs(30), "{:?}", outcome.took);
}
