//! Builds the tree.

use super::line::{self, Content, Line};
use super::{Document, Status, Test};

/// Levels of nesting; KUnit has three (run, suite, parameterised case).
const MAX_DEPTH: usize = 16;
/// Tests of a document; beyond it results are counted as a problem only.
const MAX_TESTS: usize = 100_000;
/// Diagnostic lines kept for one test.
const MAX_DIAGNOSTICS: usize = 200;

/// Reads KTAP line by line.
///
/// Lines that are no KTAP are skipped, so the messages of a whole console may be given to it, their prefixes taken off
/// ([`crate::Record::text`] is such a text).
#[derive(Debug)]
pub struct Parser {
    levels: Vec<Level>,
    problems: Vec<String>,
    tests: usize,
}

/// The tests between two results of the level above.
#[derive(Debug, Default)]
struct Level {
    indent: usize,
    name: Option<String>,
    /// Tests of earlier runs in the same stream, which the plan does not count.
    base: u64,
    plan: Option<u64>,
    skipped: Option<String>,
    tests: Vec<Test>,
    /// Tests of the level below whose parent's result has not come.
    children: Vec<Test>,
    children_name: Option<String>,
    diagnostics: Vec<String>,
}

impl Default for Parser {
    fn default() -> Self {
        Self { levels: vec![Level::default()], problems: Vec::new(), tests: 0 }
    }
}

impl Parser {
    /// A parser at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a line, and says whether it was KTAP.
    pub fn line(&mut self, text: &str) -> bool {
        let Some(Line { indent, content }) = line::parse(text) else { return false };
        match content {
            Content::Diagnostic(note) => self.diagnostic(note),
            Content::Announcement(name) => self.announce(indent, name),
            Content::Version => self.version(indent),
            Content::Plan { count, reason } => self.plan(indent, count, reason),
            Content::Result { number, name, status, reason } => {
                self.result(indent, number, name, status, reason)
            }
            Content::BailOut(reason) => self.bail_out(indent, reason),
        }
        true
    }

    /// Ends the stream. What had been announced and did not come is a crash.
    pub fn finish(mut self) -> Document {
        self.close_to(0);
        let Some(mut root) = self.levels.pop() else { return Document::default() };
        let problems = &mut self.problems;
        if !root.children.is_empty() {
            root.tests
                .push(unfinished(root.children_name.take(), std::mem::take(&mut root.children)));
        }
        problems.extend(root.surplus());
        if root.plan.is_none() && !root.tests.is_empty() {
            problems.push("no plan (`1..N`) was printed".to_owned());
        }
        root.complete();
        Document { tests: root.tests, problems: self.problems }
    }

    fn top(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    /// Makes the level of `indent` the innermost.
    fn enter(&mut self, indent: usize) -> &mut Level {
        self.close_to(indent);
        if indent > self.top().indent && self.levels.len() < MAX_DEPTH {
            self.levels.push(Level { indent, ..Level::default() });
        }
        self.top()
    }

    /// Hands the tests of deeper levels to the level that will name them.
    fn close_to(&mut self, indent: usize) {
        while self.levels.len() > 1 && self.top().indent > indent {
            let Some(mut level) = self.levels.pop() else { return };
            level.end_children();
            self.problems.extend(level.surplus());
            level.complete();
            let parent = self.top();
            parent.children.append(&mut level.tests);
            parent.children_name = level.name.take().or(parent.children_name.take());
            parent.diagnostics.append(&mut level.diagnostics);
        }
    }

    fn version(&mut self, indent: usize) {
        let level = self.enter(indent);
        // A second run in the same log: its plan starts anew.
        if !level.tests.is_empty() {
            level.complete();
            level.plan = None;
            level.base = level.tests.len() as u64;
        }
    }

    fn announce(&mut self, indent: usize, name: &str) {
        if name.starts_with("selftests: ") {
            let level = self.enter(indent);
            level.children_name = Some(name.to_owned());
            return;
        }
        self.enter(indent).name = Some(name.to_owned());
    }

    fn plan(&mut self, indent: usize, count: u64, reason: Option<&str>) {
        let level = self.enter(indent);
        level.plan = Some(level.base.saturating_add(count));
        level.skipped = reason.map(str::to_owned);
    }

    fn diagnostic(&mut self, note: &str) {
        let level = self.top();
        if level.diagnostics.len() < MAX_DIAGNOSTICS {
            level.diagnostics.push(note.to_owned());
        }
    }

    fn result(
        &mut self,
        indent: usize,
        number: Option<u64>,
        name: &str,
        status: Status,
        reason: Option<&str>,
    ) {
        self.tests += 1;
        if self.tests > MAX_TESTS {
            return self.overflow();
        }
        let level = self.enter(indent);
        let expected = level.tests.len() as u64 + 1;
        let fallback = level.children_name.take();
        let test = Test {
            number,
            name: if name.is_empty() { fallback.unwrap_or_default() } else { name.to_owned() },
            status,
            reason: reason.map(str::to_owned),
            diagnostics: std::mem::take(&mut level.diagnostics),
            subtests: std::mem::take(&mut level.children),
        };
        let misnumbered = number.filter(|&number| number < expected && level.plan.is_some());
        let note = misnumbered
            .map(|number| format!("test `{}` has number {number}, expected {expected}", test.name));
        level.tests.push(test);
        self.problems.extend(note);
    }

    fn overflow(&mut self) {
        if self.tests == MAX_TESTS + 1 {
            self.problems.push(format!("more than {MAX_TESTS} results; the rest was not read"));
        }
    }

    fn bail_out(&mut self, indent: usize, reason: &str) {
        self.result(indent, None, "Bail out!", Status::Error, Some(reason));
        for level in &mut self.levels {
            level.plan = Some(level.tests.len() as u64);
        }
    }
}

impl Level {
    /// A level below ended without its result.
    fn end_children(&mut self) {
        if !self.children.is_empty() {
            let children = std::mem::take(&mut self.children);
            self.tests.push(unfinished(self.children_name.take(), children));
        }
    }

    /// What is wrong when there are more tests than the plan promised.
    fn surplus(&self) -> Option<String> {
        let done = self.tests.len() as u64;
        let plan = self.plan.filter(|plan| done > *plan)?;
        let of = self.name.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
        Some(format!("the plan{of} promised {plan} tests, and {done} reported"))
    }

    /// Adds the tests that the plan promised: the first was running, the others never ran.
    fn complete(&mut self) {
        let done = self.tests.len() as u64;
        if let Some(reason) = self.skipped.take() {
            self.tests.push(missing(None, Status::Skip, Some(reason), self.name.clone()));
        } else if self.plan.is_some_and(|plan| plan > done) {
            let name = self.children_name.take();
            let reason = format!("{} of {} tests ended", done, self.plan.unwrap_or_default());
            let mut test = missing(Some(done + 1), Status::Crash, Some(reason), name);
            test.diagnostics = std::mem::take(&mut self.diagnostics);
            self.tests.push(test);
        }
    }
}

fn unfinished(name: Option<String>, subtests: Vec<Test>) -> Test {
    let mut test =
        missing(None, Status::Crash, Some("its result was never printed".to_owned()), name);
    test.subtests = subtests;
    test
}

fn missing(
    number: Option<u64>,
    status: Status,
    reason: Option<String>,
    name: Option<String>,
) -> Test {
    let unnamed = || number.map_or_else(|| "unnamed".to_owned(), |number| format!("test {number}"));
    Test {
        number,
        name: name.unwrap_or_else(unnamed),
        status,
        reason,
        diagnostics: Vec::new(),
        subtests: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn kunit_suites_nest() {
        let document = parse(
            "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: example\n    # module: example_test\n    1..2\n    \
             ok 1 adds\n    # skips: why\n    ok 2 skips # SKIP no such thing\n# example: pass:1 fail:0 skip:1 total:2\nok 1 example\n",
        );
        assert!(document.is_good(), "{document:?}");
        let names: Vec<_> =
            document.leaves().into_iter().map(|(path, test)| (path, test.status)).collect();
        assert_eq!(
            names,
            [("example.adds".into(), Status::Pass), ("example.skips".into(), Status::Skip)]
        );
    }

    #[test]
    fn kselftest_nests_by_comment() {
        let document = parse(
            "TAP version 13\n1..1\n# selftests: mm: hog\n# TAP version 13\n# 1..2\n# ok 1 a\n# not ok 2 b\n\
             # # Totals: pass:1 fail:1\nnot ok 1 selftests: mm: hog # exit=1\n",
        );
        let test = &document.tests[0];
        assert_eq!(
            (test.status, test.reason.as_deref(), test.subtests.len()),
            (Status::Fail, Some("exit=1"), 2)
        );
        assert_eq!(test.subtests[1].status, Status::Fail);
    }

    #[test]
    fn a_crash_is_never_silence() {
        let document = parse(
            "KTAP version 1\n1..2\n    KTAP version 1\n    # Subtest: locks\n    1..3\n    ok 1 a\n",
        );
        let suite = &document.tests[0];
        assert_eq!((suite.name.as_str(), suite.status), ("locks", Status::Crash));
        assert_eq!((suite.subtests[1].number, suite.subtests[1].status), (Some(2), Status::Crash));
        assert!(!document.is_good());
        assert!(!parse("TAP version 14\n1..2\nok 1 a\n").is_good());
        assert!(!parse("KTAP version 1\n1..1\n").is_good());
    }

    #[test]
    fn a_good_suite_above_a_failed_test_is_not_good() {
        let document = parse("1..1\n  1..1\n  not ok 1 inner\nok 1 outer\n");
        assert!(!document.is_good());
    }

    #[test]
    fn more_tests_than_the_plan_promised_are_a_problem() {
        let document = parse("1..1\n    # Subtest: s\n    1..1\n    ok 1 a\n    ok 2 b\nok 1 s\n");
        assert_eq!(document.problems, ["the plan of s promised 1 tests, and 2 reported"]);
    }

    #[test]
    fn a_missing_plan_is_a_problem() {
        assert_eq!(parse("ok 1 a\n").problems.len(), 1);
        assert!(parse("ok 1 a\n1..1\n").is_good());
    }

    #[test]
    fn a_plan_of_none_is_a_skip() {
        assert_eq!(parse("1..0 # SKIP no kvm\n").tests[0].status, Status::Skip);
    }

    #[test]
    fn bailing_out_is_an_error() {
        assert_eq!(parse("1..3\nok 1 a\nBail out! no memory\n").tests[1].status, Status::Error);
    }
}
