//! docs/tutorial.md, command by command.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bench::{Bench, KHARNESS};
use crate::project::has_kernel;

/// The blocks of code in `language` in a text, in order.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    text.split(begin.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

fn run(bench: &Bench, line: &str) -> (bool, String) {
    let mut command = Command::new("sh");
    let dir = Path::new(KHARNESS).parent().unwrap().display();
    let path = format!("{dir}:{}", std::env::var("PATH").unwrap());
    command.args(["-ec", line]).env("PATH", path);
    let output = bench.in_place(&mut command).output().unwrap();
    let told = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap()).concat();
    (output.status.success(), told)
}

#[test]
fn the_tutorial_leads_from_nothing_to_a_verdict_and_to_a_failure() {
    if !has_kernel("debug") {
        return;
    }
    let doc = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tutorial.md");
    let doc = fs::read_to_string(doc).unwrap();
    let (commands, edits) = (blocks(&doc, "sh"), blocks(&doc, "rust"));
    let [new, test] = commands[..] else { panic!("two commands: {commands:?}") };
    let [function, list] = edits[..] else { panic!("one edit in two places: {edits:?}") };

    let bench = Bench::new();
    let (done, told) = run(&bench, new);
    assert!(done, "{told}");
    let source = bench.path("modules/kh_first/kh_first.rs");
    let text = fs::read_to_string(&source).unwrap();
    let old = text.lines().find(|line| line.trim_start().starts_with("tests: [")).unwrap();
    let edited = text.replace(old, list.trim_end()) + "\n" + function;
    fs::write(&source, &edited).unwrap();
    let (done, told) = run(&bench, test);
    assert!(done && told.contains("PASS"), "{told}");

    fs::write(&source, edited.replace("!= 0)", "== 0)")).unwrap();
    let (done, told) = run(&bench, test);
    assert!(!done && told.contains("test kh_first.pages_are_zeroed is not ok"), "{told}");
    assert!(told.contains("left: 4096"), "{told}");
}
