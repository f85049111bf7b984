//! The statuses that say more than pass and fail.

use std::fs;
use std::time::Duration;

use crate::bench::{Bench, CLEAN, Outcome, SKIPPED, text};
use crate::processes::wait_until;

const FAILING: &str = "machine: { cpus: 1, memory: 256MiB }\nsteps:\n  - shell: exit 3\n";

#[test]
fn a_known_failure_is_good_and_its_pass_is_not() {
    let bench = Bench::new();
    bench.scenario("known", &format!("xfail: the cable is out\n{FAILING}"));
    bench.scenario("fixed", &format!("xfail: {{ reason: was broken, strict: true }}\n{CLEAN}"));
    let outcome = bench.run::<&str>([]);
    outcome.assert_code(1);
    assert_eq!(outcome.result("known")["status"], "xfail");
    assert_eq!(outcome.result("known")["cause"], "the cable is out");
    assert_eq!(outcome.result("fixed")["status"], "xpass");
    assert!(text(outcome.result("fixed"), "cause").contains("was broken"));
}

#[test]
fn a_known_failure_alone_ends_with_0() {
    let bench = Bench::with("known", &format!("xfail: the cable is out\n{FAILING}"));
    bench.run::<&str>([]).assert_code(0);
}

#[test]
fn a_failure_that_a_retry_does_not_repeat_is_flaky() {
    let bench = Bench::with(
        "flaky",
        "machine: { cpus: 1, memory: 256MiB }\nretries: 0\nfiles: [{ from: code, to: /code }]\n\
         steps:\n  - shell: exit $(cat /code)\n",
    );
    let code = bench.path("scenarios/code");
    fs::write(&code, "1").unwrap();
    let outcome = std::thread::scope(|scope| {
        // The first guest has its copy once it prints; the second gets another.
        scope.spawn(|| {
            let console = bench.run_dir().join("flaky/console.log");
            let prints = || fs::metadata(&console).is_ok_and(|file| file.len() > 0);
            assert!(wait_until(Duration::from_secs(60), prints));
            fs::write(&code, "0").unwrap();
        });
        bench.run(["--retries", "1"])
    });
    outcome.assert_code(0);
    let result = outcome.result("flaky");
    assert_eq!(result["status"], "flaky");
    let attempts = result["attempts"].as_array().unwrap();
    let statuses: Vec<_> = attempts.iter().map(|attempt| text(attempt, "status")).collect();
    assert_eq!(statuses, ["fail", "pass"]);
}

#[test]
fn what_a_scenario_requires_and_does_not_find_skips_it_with_the_reason() {
    let bench = Bench::with("skipped", SKIPPED);
    let outcome = bench.run::<&str>([]);
    outcome.assert_code(0);
    let result = outcome.result("skipped");
    assert_eq!(result["status"], "skip");
    assert!(text(result, "cause").starts_with("it needs a kernel >=99, this is "), "{result}");
    outcome.assert_told(&["SKIP", "1 skipped"]);
}

#[test]
fn nothing_selected_is_a_code_of_its_own() {
    let bench = Bench::with("clean", CLEAN);
    let outcome: Outcome = bench.run(["--tags", "nonsuch"]);
    outcome.assert_code(4).assert_told(&["nothing selected", "with a tag of nonsuch"]);
}
