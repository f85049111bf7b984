//! Silence proves nothing where nobody listens: detectors that are off, a console that hides reports.

use crate::bench::{Bench, text};
use crate::project::has_kernel;

/// The leak detector says that it is off from here on; all else is well.
const OFF: &str = r#"
requires: { config: [CONFIG_DEBUG_KMEMLEAK] }
machine: { cpus: 1, memory: 256MiB, cmdline: "kmemleak=on" }
steps:
  - shell: echo off > /sys/kernel/debug/kmemleak
  - id: green
    run: ["true"]
"#;

#[test]
fn a_scenario_whose_detector_switched_itself_off_is_inconclusive() {
    if !has_kernel("debug") {
        return;
    }
    let bench = Bench::with("off", OFF);
    // Who does not depend on it may pass.
    bench.scenario("other", &OFF.replace("[CONFIG_DEBUG_KMEMLEAK]", "[CONFIG_LKDTM]"));
    let outcome = bench.run(["-k", "debug", "--no-canary"]);
    let result = outcome.result("off");
    assert_eq!(result["status"], "error", "{}", outcome.stderr);
    let told = text(result, "cause");
    assert!(told.contains("inconclusive: kmemleak"), "{told}");
    assert_eq!(outcome.result("other")["status"], "pass", "{}", outcome.stderr);
    outcome.assert_code(3);
}

#[test]
fn a_console_that_hides_reports_fails_the_canary_and_nothing_passes() {
    let quiet = "machine: { cpus: 1, memory: 256MiB, cmdline: 'printk.ignore_loglevel=0 loglevel=1' }\n\
                 steps:\n  - run: [uname, -r]\n";
    let bench = Bench::with("muted", quiet);
    let outcome = bench.run::<&str>([]);
    outcome.assert_code(3);
    let result = outcome.result("muted");
    assert_eq!(result["status"], "error", "{}", outcome.stderr);
    assert!(text(result, "cause").contains("the canary failed"), "{}", outcome.stderr);
}

#[test]
fn a_failing_test_shows_the_kernels_source_lines_by_itself() {
    if !has_kernel("debug") {
        return;
    }
    let oops = "requires: { config: [CONFIG_LKDTM] }\nsteps:\n  - id: bad\n    \
                shell: echo EXCEPTION > /sys/kernel/debug/provoke-crash/DIRECT\n";
    let bench = Bench::with("oops", oops);
    let outcome = bench.run(["-k", "debug", "--no-canary"]);
    let reports = outcome.result("oops")["reports"].as_array().unwrap();
    let report = reports.iter().find(|report| report["kind"] == "oops.null-deref").unwrap();
    let frames = report["frames"].as_array().unwrap();
    assert_eq!(frames[0]["function"], "lkdtm_EXCEPTION");
    assert!(text(&frames[0], "location").starts_with("drivers/misc/lkdtm/bugs.c:"), "{report}");
    assert!(frames.iter().any(|frame| frame["inlined"] == true), "{report}");
    assert!(
        report["code"]
            .as_array()
            .unwrap()
            .iter()
            .any(|line| line.as_str().unwrap().starts_with("=>"))
    );
    outcome.assert_told(&["lkdtm_EXCEPTION+0x0/", "drivers/misc/lkdtm/bugs.c:"]);
}

#[test]
fn known_reports_can_stand_in_a_file_that_scenarios_share() {
    let list = "allow:\n- report: oom.kill\n  reason: the hog is too large\n  link: https://example.org/1\n\
                - report: lockdep\n  reason: fixed long ago\n- report: oom.kill\n  function: nobody\n  \
                reason: over\n  until: 2020-01-31\n";
    let scenario = "machine: { cpus: 1, memory: 192MiB }\nfiles: [kh-hog]\nallow: [../known.yaml]\n\
                    steps:\n  - shell: kh-hog --size all || true\n";
    let bench = Bench::with("allowed", scenario);
    std::fs::write(bench.path("known.yaml"), list).unwrap();
    let outcome = bench.run(["--no-canary"]);
    outcome.assert_code(0);
    let reports = &outcome.result("allowed")["reports"];
    assert_eq!(reports[0]["allowed"], "the hog is too large", "{}", outcome.stderr);
    outcome.assert_told(&["fixed long ago", "was not needed", "known.yaml", "has expired"]);
    let stale = outcome.document["stale_allowances"].as_array().unwrap();
    let why: Vec<_> = stale.iter().map(|entry| text(entry, "why")).collect();
    assert_eq!(why, ["unused", "expired"], "{stale:?}");
    assert!(text(&stale[0], "file").ends_with("known.yaml"));
}
