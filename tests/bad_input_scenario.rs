//! Bad scenario files, through the command: each is told with its place, and exits with 2.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What `check` has to say about a file with these bytes: the lines of standard error.
fn told(bytes: impl AsRef<[u8]>) -> Vec<String> {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("bad.yaml"), bytes).unwrap();
    told_of(dir.path(), "bad.yaml")
}

fn told_of(dir: &Path, file: &str) -> Vec<String> {
    let started = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_kharness"))
        .args(["check", file])
        .current_dir(dir)
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(!text.contains("panicked") && !text.contains("backtrace"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(30), "it took {:?}", started.elapsed());
    text.lines().map(str::to_owned).collect()
}

#[track_caller]
fn assert_told(bytes: impl AsRef<[u8]>, first_line: &str) {
    let lines = told(bytes);
    assert_eq!(lines[0], first_line, "{}", lines.join("\n"));
}

#[track_caller]
fn assert_help(bytes: impl AsRef<[u8]>, first_line: &str, help: &str) {
    let lines = told(bytes);
    assert_eq!(lines[0], first_line, "{}", lines.join("\n"));
    assert!(lines.iter().any(|line| line.contains(help)), "{}", lines.join("\n"));
}

#[test]
fn a_missing_file_is_named() {
    let dir = TempDir::new().unwrap();
    let lines = told_of(dir.path(), "nowhere.yaml");
    assert_eq!(lines[0], "nowhere.yaml: cannot read it: No such file or directory (os error 2)");
}

#[test]
fn a_directory_without_scenarios_selects_nothing() {
    let dir = TempDir::new().unwrap();
    let check =
        Command::new(env!("CARGO_BIN_EXE_kharness")).arg("check").arg(dir.path()).output().unwrap();
    let text = String::from_utf8(check.stderr).unwrap();
    assert!(text.starts_with("kharness: nothing selected: no scenario (*.yaml) below /"), "{text}");
    assert_eq!(check.status.code(), Some(4));
}

#[test]
fn a_broken_file_in_a_directory_is_told_though_others_are_good() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("good.yaml"), "expect: ['true']\n").unwrap();
    std::fs::write(dir.path().join("bad.yaml"), "expect: 3\n").unwrap();
    assert!(told_of(dir.path(), ".")[0].starts_with("./bad.yaml:1:9: a list is expected here"));
}

#[test]
fn an_empty_file_tests_nothing() {
    assert_told("", "bad.yaml:1:1: the scenario tests nothing");
    assert_told("# only a comment\n", "bad.yaml:1:1: the scenario tests nothing");
    assert_told("name: nothing\n", "bad.yaml:1:1: the scenario tests nothing");
}

#[test]
fn what_is_not_yaml_is_told_where_it_stops_being_yaml() {
    assert_told("name: 'abc\nsteps: []\n", "bad.yaml:1:7: unclosed quote");
    let first = &told("\u{7f}ELF\u{2}\u{1}\u{1}\n")[0];
    assert!(first.starts_with("bad.yaml:1:"), "{first}");
    assert_told("a list\n", "bad.yaml:1:1: keys with values are expected here: `key: value`");
    assert_told("- a list\n", "bad.yaml:1:1: keys with values are expected here: `key: value`");
}

#[test]
fn an_unknown_key_names_the_nearest() {
    assert_help(
        "name: x\nstesp: []\n",
        "bad.yaml:2:1: unknown key `stesp`",
        "did you mean `steps`?",
    );
    assert_help(
        "steps:\n  - run: {argv: [a], evn: {}}\n",
        "bad.yaml:2:22: unknown key `evn`",
        "did you mean `env`?",
    );
    assert_help(
        "expect:\n  - {no_consol: x}\n",
        "bad.yaml:2:6: unknown key `no_consol`",
        "did you mean `no_console`?",
    );
    assert_help(
        "machine: {backend: kmv}\n",
        "bad.yaml:1:20: unknown value `kmv`",
        "did you mean `kvm`?",
    );
}

#[test]
fn a_unit_is_asked_for_and_a_wrong_one_corrected() {
    assert_told("steps:\n- sleep: 30\n", "bad.yaml:2:10: `30` has no unit: write `30s`");
    assert_told("expect: []\ntimeout: {boot: 0}\n", "bad.yaml:2:17: `0` has no unit: write `0s`");
    assert_told(
        "expect: []\nmachine: {memory: 512}\n",
        "bad.yaml:2:19: `512` has no unit: write `512MiB`",
    );
    assert_told(
        "expect: []\nmachine: {memory: 512MB}\n",
        "bad.yaml:2:19: `MB` is not a unit of memory here: write `512MiB`",
    );
    let first = &told("steps:\n- sleep: 30 parsecs\n")[0];
    assert!(first.starts_with("bad.yaml:2:10: `30 parsecs` is not a time: "), "{first}");
    let first = &told("expect: []\nmachine: {memory: 99999999999GiB}\n")[0];
    assert!(first.starts_with("bad.yaml:2:19: `99999999999GiB` is more than"), "{first}");
}

#[test]
fn an_alias_bomb_is_stopped() {
    let mut bomb = "tags: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("k{level}: &a{level} [{below}]\n");
    }
    let lines = told(&bomb);
    assert!(lines[0].starts_with("bad.yaml:"), "{}", lines[0]);
    // The same under a key that is known, where every alias is expanded.
    let steps = "steps:\n  - &s {run: [a], expect: &e [&x {exit: 0}, *x, *x, *x]}\n".to_owned()
        + &"  - *s\n".repeat(5000);
    let lines = told(steps);
    assert!(lines[0].contains("alias"), "{}", lines[0]);
}

#[test]
fn deep_nesting_is_stopped() {
    let lines = told(format!("steps: {}", "[".repeat(100_000)));
    assert!(lines[0].starts_with("bad.yaml:1:"), "{}", lines[0]);
    let lines = told(format!("expect:\n  - x == {}1{}\n", "[".repeat(40), "]".repeat(40)));
    assert_eq!(
        lines[0],
        "bad.yaml:2:5: an expression nested more than 32 deep: split it into several"
    );
}

#[test]
fn a_huge_file_is_refused_unread() {
    assert_told(vec![b'#'; 2 << 20], "bad.yaml: larger than 1024 KiB: this is no scenario file");
    let device = told_of(Path::new("/"), "/dev/zero");
    assert_eq!(device[0], "/dev/zero: larger than 1024 KiB: this is no scenario file");
}

#[test]
fn a_duplicate_key_is_told() {
    assert_told("name: a\nexpect: []\nname: b\n", "bad.yaml:3:1: the key `name` is given twice");
}

#[test]
fn a_duplicate_step_id_is_told_with_the_first() {
    assert_help(
        "steps:\n  - {id: a, sysrq: c}\n  - {id: a, sysrq: b}\n",
        "bad.yaml:3:10: a second step with the id `a`",
        "the first is in line 2",
    );
    // The name that a step has by its position counts too.
    assert_told(
        "steps:\n  - {id: s2, sysrq: c}\n  - {sysrq: b}\n",
        "bad.yaml:3:5: a second step with the id `s2`",
    );
}

#[test]
fn a_reference_leads_to_an_earlier_spawn() {
    let spawn = "steps:\n  - {id: hog, spawn: [hog]}\n";
    assert_help(
        format!("{spawn}  - wait: {{step: hgo}}\n"),
        "bad.yaml:3:18: there is no earlier step with the id `hgo`",
        "did you mean `hog`?",
    );
    assert_told(
        "steps:\n  - {id: a, run: [a]}\n  - kill: {step: a}\n",
        "bad.yaml:3:18: step `a` spawns no program",
    );
    assert_help(
        format!("{spawn}expect: [steps.hgo.exit == 0]\n"),
        "bad.yaml:3:10: the expression speaks of a step `hgo`; there is none",
        "did you mean `hog`?",
    );
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_place() {
    assert_told(b"name: a\ntags: [\xff]\n", "bad.yaml:2:8: not UTF-8 at byte 15");
    assert_told(b"name: \"a\0b\"\n", "bad.yaml:1:9: unexpected character: `\\u{0}'");
}

#[test]
fn lines_count_the_same_with_crlf() {
    assert_told("name: a\r\nstesp: []\r\n", "bad.yaml:2:1: unknown key `stesp`");
}

#[test]
fn tabs_do_not_indent() {
    let first = &told("steps:\n\t- sysrq: c\n")[0];
    assert!(first.starts_with("bad.yaml:2:"), "{first}");
    assert!(first.contains("tab"), "{first}");
}

#[test]
fn a_file_holds_one_document() {
    let first = &told("expect: []\n---\nexpect: []\n")[0];
    assert!(first.ends_with("a second YAML document begins here"), "{first}");
}

#[test]
fn a_mistake_in_cel_is_told_at_its_column() {
    assert_told("expect:\n  - \"1 + \"\n", "bad.yaml:2:9: not a CEL expression: it ends too early");
    assert_help(
        "expect: [size(report) == 0]\n",
        "bad.yaml:1:10: unknown name `report` in the expression",
        "did you mean `reports`?",
    );
    assert_help(
        "expect: [{report: oom, where: size(reports) == 0}]\n",
        "bad.yaml:1:10: unknown name `reports` in the expression",
        "did you mean `report`?",
    );
    let block = "expect:\n  - cel: |\n      1 == 1 &&\n      2 ==\n";
    assert_told(block, "bad.yaml:4:11: not a CEL expression: it ends too early");
}

#[test]
fn a_bad_pattern_is_told_in_one_line() {
    assert_told(
        "expect:\n  - console: 'a('\n",
        "bad.yaml:2:14: not a regular expression: unclosed group",
    );
    let first = &told("expect:\n  - console: '(\\pL{1000}){1000}'\n")[0];
    assert!(first.contains("is too large"), "{first}");
}

#[test]
fn a_wrong_type_is_told() {
    assert_told(
        "expect: []\nmachine: {cpus: many}\n",
        "bad.yaml:2:17: not a whole number from 0 on, or too large",
    );
    assert_told(
        "expect: []\nmachine: {cpus: 0}\n",
        "bad.yaml:2:17: a machine has 1 to 64 CPUs, not 0",
    );
    assert_told(
        "expect: []\ntags: fast\n",
        "bad.yaml:2:7: a list is expected here: `[…]`, or lines that begin with `-`",
    );
    assert_told(
        "expect: []\nname: [a]\n",
        "bad.yaml:2:7: a single value is expected here, not a list or a mapping",
    );
    assert_told(
        "expect: []\nxfail: {reason: x, strict: yes}\n",
        "bad.yaml:2:28: not a boolean: write `true` or `false`",
    );
    let first = &told("steps:\n  - run: uname -r\n")[0];
    assert!(first.contains("a line for the shell goes into `shell:`"), "{first}");
}

#[test]
fn a_key_without_a_value_is_told() {
    assert_help("expect: []\nname:\n", "bad.yaml:2:5: the key has no value", "leave the key out");
    assert_told(
        "steps:\n#  - sysrq: c\n",
        "bad.yaml:1:6: a list is expected here: `[…]`, or lines that begin with `-`",
    );
}

#[test]
fn a_step_does_exactly_one_thing() {
    assert_told("steps:\n  - {id: a}\n", "bad.yaml:2:5: the step does nothing");
    assert_told("steps:\n  - {run: [a], sleep: 1s}\n", "bad.yaml:2:5: a step does one thing");
    assert_told("expect:\n  - {}\n", "bad.yaml:2:5: nothing is expected");
    assert_told("expect:\n  - {exit: 0, signal: 9}\n", "bad.yaml:2:5: several expectations in one");
    assert_told(
        "expect: [{console: x, count: 1}]\n",
        "bad.yaml:1:10: `count` says which reports are meant: it goes with `report`",
    );
}

#[test]
fn what_speaks_of_a_program_is_where_a_program_is() {
    assert_help(
        "expect: [{exit: 0}]\n",
        "bad.yaml:1:10: `exit` speaks of the program of a step",
        "steps.ID.exit",
    );
    assert_help(
        "steps:\n  - spawn: [hog]\n    expect: [{signal: KILL}]\n",
        "bad.yaml:3:14: `signal` means nothing in this step",
        "`wait` step",
    );
    assert_told(
        "steps:\n  - sleep: 1s\n    expect: [{stdout: x}]\n",
        "bad.yaml:3:14: `stdout` means nothing in this step",
    );
}

#[test]
fn a_kind_of_report_looks_like_one() {
    let first = &told("expect: [{report: \"WARNING: x\"}]\n")[0];
    assert!(first.starts_with("bad.yaml:1:19: `WARNING: x` is not a kind"), "{first}");
    let first = &told("steps: [{wait_for: {event: oom-kill.}}]\n")[0];
    assert!(first.starts_with("bad.yaml:1:28: `oom-kill.` is not a kind"), "{first}");
}

#[test]
fn what_would_hide_a_bug_is_refused() {
    assert_told(
        "expect: [{no_reports: false}]\n",
        "bad.yaml:1:23: `no_reports: false` would let every kernel bug pass",
    );
    assert_told(
        "expect: []\nallow: [{report: warning, reason: ' '}]\n",
        "bad.yaml:2:35: every allowed report needs a reason",
    );
    assert_told(
        "expect: []\nrepeat: 0\n",
        "bad.yaml:2:9: a scenario that runs 0 times proves nothing: at least 1",
    );
}

/// What `check` says of a scenario beside `base.yaml`, which has the snapshots `ready` and `done`.
fn told_beside_base(text: &str) -> Vec<String> {
    let dir = TempDir::new().unwrap();
    let base = "steps:\n  - snapshot: ready\n  - snapshot: done\n";
    std::fs::write(dir.path().join("base.yaml"), base).unwrap();
    let matrix = format!("matrix: {{cpus: [1, 2]}}\n{base}");
    std::fs::write(dir.path().join("cells.yaml"), matrix).unwrap();
    std::fs::write(dir.path().join("bad.yaml"), text).unwrap();
    told_of(dir.path(), "bad.yaml")
}

#[test]
fn a_base_that_is_not_there_or_goes_round_or_is_contradicted_is_told_with_its_place() {
    let from = |file: &str, name: &str| {
        format!("from: {{scenario: {file}, snapshot: {name}}}\nsteps: [{{snapshot: s}}]\n")
    };
    for (text, first, help) in [
        (from("nowhere.yaml", "ready"), "bad.yaml:1:7: there is no scenario file nowhere.yaml", ""),
        (
            from("base.yaml", "raedy"),
            "bad.yaml:1:7: base.yaml has no snapshot `raedy`",
            "did you mean `ready`?",
        ),
        (
            from("bad.yaml", "s"),
            "bad.yaml:1:7: bad.yaml goes on from this scenario itself",
            "its own base",
        ),
        (from("cells.yaml", "ready"), "bad.yaml:1:7: cells.yaml has a matrix", "one scenario"),
        (
            format!("{}machine: {{cpus: 1}}\n", from("base.yaml", "ready")),
            "bad.yaml:1:7: a scenario that goes on `from` another has no `machine`: it has that one's",
            "load",
        ),
        (
            format!("{}kernel: debian\n", from("base.yaml", "ready")),
            "bad.yaml:1:7: a scenario that goes on `from` another has no `kernel`: it has that one's",
            "",
        ),
    ] {
        let lines = told_beside_base(&text);
        assert_eq!(lines[0], first, "{}", lines.join("\n"));
        assert!(lines.iter().any(|line| line.contains(help)), "{}", lines.join("\n"));
    }
}

#[test]
fn delays_and_clocks_that_make_no_sense_are_told_with_their_place() {
    let steps = "steps: [{shell: 'true'}]\n";
    assert_told(
        format!("machine: {{cpus: 1}}\nperturb: {{}}\n{steps}"),
        "bad.yaml:2:10: a machine with one CPU has nothing that it could be delayed against",
    );
    assert_told(
        format!("perturb: {{hold: 0s}}\n{steps}"),
        "bad.yaml:1:17: a timeout of nothing leaves no time for anything",
    );
    let clock = told(format!("clock: yesterday\n{steps}"));
    assert!(
        clock[0].starts_with("bad.yaml:1:8: `yesterday` is not a clock: write `host`"),
        "{clock:?}"
    );
}

#[test]
fn what_is_no_disk_is_told() {
    assert_told(
        "expect: []\nmachine: {disks: [{size: 100B}]}\n",
        "bad.yaml:2:26: a disk has sectors of 512 bytes, and one at least; 100B are none",
    );
    assert_told(
        "expect: []\nmachine: {disks: [{readonly: true}]}\n",
        "bad.yaml:2:19: what is on the disk: either `from` or `size`",
    );
    assert_told(
        "expect: []\nmachine: {disks: [{size: 1MiB, readonly: true}]}\n",
        "bad.yaml:2:19: a blank disk that is `readonly` holds nothing",
    );
    let seven = ["{size: 1MiB}"; 7].join(", ");
    assert_told(
        format!("expect: []\nmachine: {{disks: [{seven}]}}\n"),
        "bad.yaml:2:103: a machine has 6 disks at most",
    );
}
