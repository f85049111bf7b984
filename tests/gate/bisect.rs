//! `kharness bisect` where it cannot search. The search itself is tested beside its code, and with
//! real guests in the end-to-end tests.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::documents::{Outcome, Place};

fn git(tree: &Path, words: &[&str]) {
    let mut git = Command::new("git");
    git.current_dir(tree).args(["-c", "user.name=t", "-c", "user.email=t@example.org"]).args(words);
    let output = git.output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A tree of ten commits.
fn tree(place: &Place) {
    let tree = place.path("tree");
    fs::create_dir_all(&tree).unwrap();
    git(&tree, &["init", "-q", "-b", "main"]);
    for n in 1..=10 {
        fs::write(tree.join("number"), n.to_string()).unwrap();
        git(&tree, &["add", "-A"]);
        git(&tree, &["commit", "-q", "-m", &format!("commit {n}")]);
        git(&tree, &["tag", &format!("v{n}")]);
    }
}

/// Searches with these arguments.
fn search(place: &Place, words: &[&str]) -> Outcome {
    let mut command = place.command();
    command.args(["bisect", "v1", "v10", "test.yaml", "--kernel", "tree"]);
    Outcome::of(command.args(words))
}

#[test]
fn ends_that_are_not_what_they_are_said_to_be_are_told() {
    let place = Place::new();
    tree(&place);
    fs::write(place.path("test.yaml"), "steps:\n  - run: [uname]\n").unwrap();
    // There is no kernel in the tree: nothing can be tested, and nothing is called good or bad.
    search(&place, &["--build", "true"]).assert(3, &["v10 cannot be tested"]);
    search(&place, &["--build", "echo no such symbol >&2; false"])
        .assert(3, &["v10 cannot be tested: it does not build: no such symbol"]);
    let head = Command::new("git")
        .current_dir(place.path("tree"))
        .args(["rev-parse", "--abbrev-ref", "HEAD"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&head.stdout).trim(),
        "main",
        "the tree goes back to where it was"
    );
}

#[test]
fn a_revision_that_does_not_exist_is_told_by_git() {
    let place = Place::new();
    tree(&place);
    let mut command = place.command();
    command.args(["bisect", "v1", "v99", "test.yaml", "--kernel", "tree"]);
    Outcome::of(&mut command).assert(3, &["git rev-parse", "v99"]);
}
