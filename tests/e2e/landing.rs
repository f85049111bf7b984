//! Whether a change of the kernel may land, as the gate says of real guests.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::bench::{Bench, KHARNESS, Outcome};
use crate::project::has_kernel;

/// What the gate says.
struct Gated {
    code: Option<i32>,
    told: String,
}

impl Gated {
    #[track_caller]
    fn assert(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.told);
        for word in words {
            assert!(self.told.contains(word), "nothing of {word:?} in:\n{}", self.told);
        }
    }
}

fn gate(base: &Path, current: &Path) -> Gated {
    let mut command = Command::new(KHARNESS);
    command.args(["gate", "--history", "none", "--baseline"]).arg(base).arg("--current");
    let output = command.arg(current).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    Gated { code: output.status.code(), told: String::from_utf8(told).unwrap() }
}

/// Those results of a run that `takes` takes by their number, from 0 on, as a document of its own.
fn part(bench: &Bench, name: &str, run: &Outcome, takes: impl Fn(usize) -> bool) -> PathBuf {
    let results = run.document["results"].as_array().unwrap().iter().enumerate();
    let taken: Vec<&Value> = results.filter(|(n, _)| takes(*n)).map(|(_, it)| it).collect();
    let mut document = run.document.clone();
    document["run"]["planned"] = taken.iter().map(|result| result["id"].clone()).collect();
    document["run"]["id"] = json!(name);
    document["results"] = json!(taken);
    let path = bench.path(name).with_extension("json");
    std::fs::write(&path, document.to_string()).unwrap();
    path
}

/// The modules of the repository, where scenarios look for them.
fn with_modules(bench: &Bench) {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest-image/modules");
    std::os::unix::fs::symlink(modules, bench.path("modules")).unwrap();
}

#[test]
fn a_module_that_takes_locks_in_a_wrong_order_is_caught_by_the_name_of_the_report() {
    if !has_kernel("debug") {
        return;
    }
    let bench = Bench::with(
        "locks",
        "machine: { memory: 256MiB }\nmodules:\n  - { name: kh_locking, params: { test: mutex_abba, repair: 1 } }\nexpect: ['true']\n",
    );
    with_modules(&bench);
    let run = |more: &[&str]| bench.run(["-k", "debug", "--no-canary"].iter().chain(more));
    let good = run(&[]);
    good.assert_code(0);
    let base = part(&bench, "base", &good, |_| true);
    let baseline = base.to_str().unwrap();
    // The run itself gates on what is new.
    run(&["--baseline", baseline]).assert_code(0).assert_told(&["nothing changed"]);
    let bad = run(&["--param", "kh_locking.repair=0", "--baseline", baseline]);
    bad.assert_code(1).assert_told(&["Regression", "locks: new kernel report: lockdep.circular: "]);
}

#[test]
fn a_kernel_with_another_configuration_is_caught_by_the_name_of_the_test() {
    let bench = Bench::new();
    let machine = |words: &str| {
        format!(
            "machine: {{ cpus: 2, memory: 256MiB, cmdline: '{words}' }}\nsteps:\n  - id: cpus\n    run: [nproc]\n    expect:\n      - stdout: ^2$\n"
        )
    };
    bench.scenario("cpus", &machine(""));
    bench.scenario("swap", "steps:\n  - shell: cat /proc/swaps\n");
    let good = bench.run(["--no-canary"]);
    good.assert_code(0);
    let base = part(&bench, "base", &good, |_| true);
    bench.scenario("cpus", &machine("maxcpus=1"));
    let bad = bench.run(["--no-canary"]);
    gate(&base, &part(&bench, "cmdline", &bad, |_| true))
        .assert(1, &["Regression cpus: passed before and fails", "Gate 1 regressions"]);
    if !has_kernel("debug") {
        return;
    }
    // Our own kernel is built without CONFIG_SWAP.
    std::fs::remove_file(bench.path("scenarios/cpus.yaml")).unwrap();
    let other = bench.run(["--no-canary", "-k", "debug"]);
    gate(&base, &part(&bench, "config", &other, |_| true))
        .assert(1, &["Regression swap: passed before and fails", "Gone cpus"]);
}

#[test]
fn an_equal_kernel_passes_twenty_times_in_a_row() {
    let bench = Bench::with(
        "quiet",
        "machine: { cpus: 1, memory: 256MiB }\nsteps:\n  - shell: dmesg | grep -q Linux\n",
    );
    let run = bench.run(["--no-canary", "--repeat", "21"]);
    run.assert_code(0);
    let base = part(&bench, "base", &run, |n| n == 0);
    for nth in 1..=20 {
        let current = part(&bench, &format!("current-{nth}"), &run, |n| n == nth);
        gate(&base, &current).assert(0, &["nothing changed"]);
    }
}

/// Fails for three of ten seeds.
const CHANCE: &str = "machine: { cpus: 1, memory: 256MiB }\nsteps:\n  - shell: '[ $((KHARNESS_SEED * 7919 % 10007 % 10)) -ge 3 ]'\n";

fn fails(seed: u64) -> bool {
    seed * 7919 % 10007 % 10 < 3
}

#[test]
fn a_test_that_fails_by_chance_is_flaky_with_its_rate_and_does_not_gate() {
    const TIMES: usize = 12;
    let bench = Bench::with("chance", CHANCE);
    let seed = 4711;
    let run = bench.run(["--no-canary", "--repeat", "24", "--seed", "4711"]);
    run.assert_code(1);
    let base = part(&bench, "base", &run, |n| n < TIMES);
    let current = part(&bench, "current", &run, |n| n >= TIMES);
    let failures = (seed + 12..seed + 24).filter(|seed| fails(*seed)).count();
    assert!((1..TIMES).contains(&failures));
    let told = format!("Flaky chance: fails {failures} of {TIMES} (");
    let gated = gate(&base, &current);
    gated.assert(0, &[&told]);
    // The rate that was planted is in the interval.
    let (_, interval) = gated.told.split_once(&told).unwrap();
    let ends: Vec<u32> = interval.split(' ').filter_map(|word| word.parse().ok()).take(2).collect();
    assert!(ends[0] <= 30 && 30 <= ends[1], "{}", gated.told);
    // The seed that the line to run it again has is that of the repetition.
    let results = run.document["results"].as_array().unwrap();
    let failed = results.iter().position(|result| result["status"] == "fail").unwrap();
    let repro = results[failed]["repro"].as_str().unwrap();
    assert!(repro.ends_with(&format!("--seed {}", seed + failed as u64)), "{repro}");
}

#[test]
fn a_slower_allocator_is_caught_and_noise_is_not() {
    if !has_kernel("debug") {
        return;
    }
    let bench = Bench::new();
    with_modules(&bench);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/allocator/time.yaml");
    bench.scenario("time", &std::fs::read_to_string(source).unwrap());
    let run = |times: &str, more: &[&str]| {
        let words = ["-k", "debug", "--no-canary", "--repeat", times];
        let outcome = bench.run(words.iter().chain(more));
        outcome.assert_code(0);
        outcome
    };
    // What the host does meanwhile is the same for both sides of a run that is dealt out in turn.
    let equal = run("12", &[]);
    let base = part(&bench, "even", &equal, |n| n % 2 == 0);
    gate(&base, &part(&bench, "odd", &equal, |n| n % 2 == 1)).assert(0, &["nothing changed"]);
    let slow = run("6", &["--param", "kh_alloc_time.delay_ns=10000"]);
    let gated = gate(&base, &part(&bench, "slow", &slow, |_| true));
    gated.assert(1, &["Regression time: kmalloc_192 ", "Regression time: page ", " ns (+"]);
}
