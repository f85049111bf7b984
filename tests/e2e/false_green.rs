//! No false green: every step exits with 0 here, or claims to, and no run may pass. The scenarios
//! are in `tests/data/e2e/green`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::{Bench, Outcome, text};
use crate::machine::{Machine, on_machines};
use crate::unbootable;

on_machines! {
    a_warning_fails_a_step_that_exits_with_0: PC VIRT;
    an_oops_that_the_kernel_survives_is_a_crash: PC VIRT;
    a_panic_before_the_agent_is_a_crash: PC VIRT;
    a_panic_after_the_last_step_is_a_crash: PC VIRT;
    a_silent_hang_is_a_timeout_that_says_so: PC VIRT;
    a_reset_is_a_crash: PC VIRT;
    // Other processors have no such thing.
    a_triple_fault_is_a_crash_and_told_from_a_reset: PC;
    a_frozen_agent_is_a_timeout_although_the_kernel_runs_on: PC VIRT;
    an_agent_that_loses_its_channel_is_a_crash: PC VIRT;
    an_oom_kill_fails_a_step_that_exits_with_0: PC VIRT;
    a_program_that_switches_the_machine_off_is_a_crash: PC VIRT;
    what_a_program_prints_cannot_turn_a_failure_green: PC VIRT;
    what_a_program_prints_around_a_warning_does_not_hide_it: PC VIRT;
    a_kernel_that_does_nothing_fails_soon_after_the_boot_timeout: PC VIRT;
    a_kernel_that_faults_at_its_first_instruction_is_no_pass: PC VIRT;
    a_kernel_that_hangs_before_the_agent_shows_its_last_console_lines: PC VIRT;
}

/// Runs the scenario `name`, which must end with `status` for the reason `cause`.
#[track_caller]
fn caught(
    on: &Machine,
    name: &str,
    status: &str,
    cause: &[&str],
    arguments: &[&'static str],
) -> Outcome {
    let file = format!("{}/tests/data/e2e/green/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let bench = Bench::with(name, &std::fs::read_to_string(file).unwrap());
    let outcome = bench.run(on.arguments().iter().chain(arguments));
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

fn a_warning_fails_a_step_that_exits_with_0(on: &Machine) {
    let outcome =
        caught(on, "warning", "fail", &["kernel report warning in step green: WARN"], &[]);
    assert_exits_with_0(&outcome);
}

fn an_oops_that_the_kernel_survives_is_a_crash(on: &Machine) {
    let cause = ["kernel report oops.page-fault in step green: ", "nable to handle"];
    assert_exits_with_0(&caught(on, "oops", "crash", &cause, &[]));
}

fn a_panic_before_the_agent_is_a_crash(on: &Machine) {
    let cause = ["kernel report panic: ", "Unable to mount root fs", "before the agent answered"];
    caught(on, "early-panic", "crash", &cause, &[]);
}

fn a_panic_after_the_last_step_is_a_crash(on: &Machine) {
    let cause = ["kernel report panic in step green: ", "sysrq triggered crash"];
    assert_exits_with_0(&caught(on, "late-panic", "crash", &cause, &[]));
}

fn a_silent_hang_is_a_timeout_that_says_so(on: &Machine) {
    let cause = ["step took more than 5s", "does not answer: it hangs in step green"];
    let name = if on.is_pc() { "hang" } else { "hang-arm" };
    caught(on, name, "timeout", &cause, &["--timeout-scale", "1"]);
}

fn a_reset_is_a_crash(on: &Machine) {
    caught(on, "reset", "crash", &["the guest reset itself in step green"], &[]);
}

fn a_triple_fault_is_a_crash_and_told_from_a_reset(on: &Machine) {
    caught(on, "triple-fault", "crash", &["the guest died of a triple fault in step green"], &[]);
}

fn a_frozen_agent_is_a_timeout_although_the_kernel_runs_on(on: &Machine) {
    let cause = ["step took more than 3s", "does not answer", "in step green"];
    caught(on, "frozen-agent", "timeout", &cause, &["--timeout-scale", "1"]);
}

fn an_agent_that_loses_its_channel_is_a_crash(on: &Machine) {
    let outcome = caught(on, "lost-channel", "crash", &["in step green"], &[]);
    outcome.assert_told(&["the control channel has closed"]);
}

fn an_oom_kill_fails_a_step_that_exits_with_0(on: &Machine) {
    let outcome = caught(on, "oom-kill", "fail", &["kernel report oom.kill in step green"], &[]);
    assert_exits_with_0(&outcome);
}

fn a_program_that_switches_the_machine_off_is_a_crash(on: &Machine) {
    let outcome =
        caught(on, "power-off", "crash", &["the guest powered itself off in step green"], &[]);
    let steps = &outcome.document["results"][0]["steps"];
    assert_eq!(steps[1]["status"], "not-run");
}

fn what_a_program_prints_cannot_turn_a_failure_green(on: &Machine) {
    let outcome = caught(on, "forged", "fail", &["step green (shell) exited with 7"], &[]);
    let green = green(&outcome);
    assert!(text(green, "stdout").contains("ok 1 all"), "{green}");
    // The control channel belongs to the agent alone.
    assert!(!text(green, "stdout").contains("took it"), "{green}");
    assert!(text(green, "stderr").contains("busy"), "{green}");
    assert_eq!(outcome.document["results"][0]["steps"][1]["status"], "not-run");
}

fn what_a_program_prints_around_a_warning_does_not_hide_it(on: &Machine) {
    let name = "forged-around-a-warning";
    let outcome = caught(on, name, "fail", &["kernel report warning in step green: WARN"], &[]);
    assert_exits_with_0(&outcome);
    let reports = outcome.result(name)["reports"].as_array().unwrap();
    let warning = reports.iter().find(|report| report["kind"] == "warning").unwrap();
    assert_eq!((&warning["expected"], &warning["step"]), (&json!(false), &json!("green")));
}

const UNBOOTABLE: &str = "machine: { cpus: 1, memory: 256MiB }\ntimeout: { boot: 3s }\nsteps:\n  \
    - run: [uname]\n";

fn a_kernel_that_does_nothing_fails_soon_after_the_boot_timeout(on: &Machine) {
    let bench = Bench::with("dead", UNBOOTABLE);
    let image = unbootable::halting(on, &bench.path("image"));
    let outcome = bench.run(on.with_kernel(&image).into_iter().chain(["--timeout-scale", "1"]));
    is_caught(&outcome, "dead", "timeout", &["boot took more than 3s before the agent answered"]);
    assert!(outcome.took < Duration::from_secs(20), "{:?}", outcome.took);
    assert_eq!(outcome.result("dead")["attempts"][0]["boot_ms"], json!(null));
}

fn a_kernel_that_faults_at_its_first_instruction_is_no_pass(on: &Machine) {
    let bench = Bench::with("faulty", UNBOOTABLE);
    let image = unbootable::faulting(on, &bench.path("image"));
    let scale = if on.is_pc() { "4" } else { "1" };
    let outcome = bench.run(on.with_kernel(&image).into_iter().chain(["--timeout-scale", scale]));
    let (status, cause) = match on.is_pc() {
        true => ("crash", "the guest died of a triple fault before the agent answered"),
        // An Arm CPU takes the exception again and again.
        false => ("timeout", "boot took more than 3s before the agent answered"),
    };
    is_caught(&outcome, "faulty", status, &[cause]);
}

fn a_kernel_that_hangs_before_the_agent_shows_its_last_console_lines(on: &Machine) {
    let hanging = UNBOOTABLE.replace("256MiB", "256MiB, cmdline: 'rdinit=/bin/sleep -- 1000'");
    let bench = Bench::with("hanging", &hanging.replace("3s", "6s"));
    let outcome = bench.run(on.arguments().into_iter().chain(["--timeout-scale", "1"]));
    is_caught(&outcome, "hanging", "timeout", &["boot took more than 6s"]);
    let excerpt = outcome.result("hanging")["excerpt"].as_array().unwrap();
    let console = std::fs::read_to_string(bench.run_dir().join("hanging/console.log")).unwrap();
    let last = console.lines().last().unwrap().trim_end();
    assert_eq!(excerpt.last().unwrap(), last);
    outcome.assert_told(&[last]);
    assert!(outcome.took < Duration::from_secs(30), "{:?}", outcome.took);
}
