//! Scenarios that go on from a snapshot of another one.

use crate::bench::{Bench, text};

/// Leaves a file and a running program, at two snapshots.
const BASE: &str = "machine: { cpus: 1, memory: 256MiB }
steps:
  - shell: mkdir /kept; echo one > /kept/file
  - snapshot: one
  - id: sleeper
    spawn: [sleep, '3600']
  - shell: echo two >> /kept/file
  - snapshot: two
  - run: [cat, /kept/file]
";

fn tree() -> Bench {
    let bench = Bench::new();
    bench.scenario("base", BASE);
    let from = |name: &str, steps: &str| {
        format!("from: {{ scenario: base.yaml, snapshot: {name} }}\nsteps:\n{steps}")
    };
    let reads = |text: &str| {
        format!("  - run: [cat, /kept/file]\n    expect:\n      - stdout: \\A{text}\\z\n")
    };
    let runs = "  - shell: grep -qx sleep /proc/[0-9]*/comm\n";
    bench.scenario("first", &from("one", &reads("one\\n")));
    bench.scenario(
        "first-too",
        &from("one", &format!("{}  - shell: echo x > /kept/file\n", reads("one\\n"))),
    );
    bench.scenario("second", &from("two", &format!("{}{runs}", reads("one\\ntwo\\n"))));
    bench.scenario("second-too", &from("two", &format!("{runs}{}", reads("one\\ntwo\\n"))));
    bench.scenario(
        "third",
        "from: { scenario: deeper.yaml, snapshot: three }\nsteps:\n  - shell: test -e /kept/deeper\n",
    );
    bench.scenario(
        "deeper",
        "from: { scenario: base.yaml, snapshot: one }\nsteps:\n  - shell: touch /kept/deeper\n  \
         - snapshot: three\n",
    );
    bench
}

#[test]
fn scenarios_go_on_where_the_snapshot_of_another_was_taken() {
    let bench = tree();
    let outcome = bench.run(["--no-canary"]);
    outcome.assert_code(0);
    for id in ["first", "first-too", "second", "second-too"] {
        assert_eq!(outcome.result(id)["attempts"][0]["forked"], true, "{id}: {}", outcome.stderr);
    }
    // The steps of the base were done once, in the guest that all are copies of.
    let start = |id: &str| outcome.result(id)["steps"][0]["start_ms"].as_u64();
    assert_eq!(start("second"), start("second-too"));
    assert_eq!(text(&outcome.result("second")["steps"][1], "id"), "two-sleeper");
}

#[test]
fn without_copies_the_steps_of_the_base_are_done_in_each_guest() {
    tree().run(["--no-canary", "--no-fork"]).assert_code(0);
}

#[test]
fn a_base_that_fails_fails_whoever_goes_on_from_it_and_says_where() {
    let bench = Bench::new();
    bench.scenario(
        "base",
        "machine: { cpus: 1, memory: 256MiB }\nsteps:\n  - id: breaks\n    shell: exit 3\n  - snapshot: one\n",
    );
    let yaml =
        "repeat: 2\nfrom: { scenario: base.yaml, snapshot: one }\nsteps:\n  - run: [uname]\n";
    bench.scenario("goes-on", yaml);
    let outcome = bench.run(["--no-canary"]);
    outcome.assert_code(1);
    for id in ["goes-on", "goes-on#2"] {
        let cause = text(outcome.result(id), "cause");
        assert!(cause.contains("one-breaks"), "{cause}");
    }
}
