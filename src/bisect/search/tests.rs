//! Searches in a history of ten commits. What plays the guest is a shell script that reads a file
//! of the tree: `good`, `bad`, `flaky` (fails every third time), `broken` (does not build).

use std::fs;
use std::path::PathBuf;

use super::*;

struct History {
    dir: tempfile::TempDir,
}

impl History {
    /// Commit n, tagged `vN`, has the state of that place.
    fn new(states: [&str; 10]) -> Self {
        let history = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(history.tree()).unwrap();
        history.git(&["init", "-q", "-b", "main"]);
        for (number, state) in (1..).zip(states) {
            fs::write(history.tree().join("state"), state).unwrap();
            fs::write(history.tree().join("number"), format!("{number}")).unwrap();
            history.git(&["add", "-A"]);
            history.git(&["commit", "-q", "-m", &format!("commit {number}")]);
            history.git(&["tag", &format!("v{number}")]);
        }
        history
    }

    fn tree(&self) -> PathBuf {
        self.dir.path().join("tree")
    }

    fn git(&self, words: &[&str]) {
        let name = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
        let words: Vec<&str> = name.iter().chain(words).copied().collect();
        let output = Command::new("git").current_dir(self.tree()).args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn find(&self) -> Result<Verdict, SearchError> {
        let script = "echo >> ../runs; case $(cat state) in bad) exit 1;; \\
                      flaky) [ $(($(wc -l < ../runs) % 3)) != 0 ];; *) exit 0;; esac";
        let tree = self.tree();
        let test = || {
            let mut command = Command::new("sh");
            command.args(["-c", script]).current_dir(&tree);
            command
        };
        find(&Search {
            tree: &tree,
            good: "v1",
            bad: "v10",
            build: "! grep -q broken state",
            most: 20,
            test: &test,
            say: &|_| {},
        })
    }
}

#[track_caller]
fn assert_found(verdict: Result<Verdict, SearchError>, subject: &str) {
    match verdict.unwrap() {
        Verdict::Found(_, line) => assert!(line.ends_with(subject), "{line}"),
        Verdict::Unclear(commits) => panic!("unclear: {commits:?}"),
    }
}

#[test]
fn a_planted_regression_is_found_wherever_it_is() {
    for first_bad in 2..=10_usize {
        let states: [&str; 10] =
            std::array::from_fn(|at| if at + 1 < first_bad { "good" } else { "bad" });
        let history = History::new(states);
        assert_found(history.find(), &format!("commit {first_bad}"));
        let head = fs::read_to_string(history.tree().join(".git/HEAD")).unwrap();
        assert_eq!(head.trim(), "ref: refs/heads/main", "the tree goes back to where it was");
    }
}

#[test]
fn a_regression_that_fails_one_time_in_three_is_found() {
    let history = History::new([
        "good", "good", "good", "good", "good", "good", "flaky", "flaky", "flaky", "flaky",
    ]);
    assert_found(history.find(), "commit 7");
}

#[test]
fn revisions_that_do_not_build_are_skipped() {
    let history = History::new([
        "good", "good", "good", "broken", "good", "broken", "good", "bad", "bad", "bad",
    ]);
    assert_found(history.find(), "commit 8");
}

#[test]
fn where_only_skipped_revisions_are_left_they_are_all_told() {
    let history = History::new([
        "good", "good", "good", "good", "good", "broken", "broken", "bad", "bad", "bad",
    ]);
    let Verdict::Unclear(commits) = history.find().unwrap() else { panic!("it cannot be known") };
    assert_eq!(commits.len(), 3);
}

#[test]
fn ends_that_are_not_what_they_are_said_to_be_are_told() {
    let good = History::new(["good"; 10]);
    assert!(matches!(good.find(), Err(SearchError::BadIsGood(_, 20))));
    let bad = History::new(["bad"; 10]);
    assert!(matches!(bad.find(), Err(SearchError::GoodIsBad(_))));
}
