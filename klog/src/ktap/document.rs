//! Results as a tree.

use serde::Serialize;

/// What a stream of test results says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Document {
    /// Tests of the outermost level, in order.
    pub tests: Vec<Test>,
    /// What is wrong with the stream itself: a missing plan, wrong numbers, a truncated end.
    pub problems: Vec<String>,
}

/// A test, or a suite of tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Test {
    /// Its number in its suite, counted from 1.
    pub number: Option<u64>,
    /// Its name.
    pub name: String,
    /// How it ended.
    pub status: Status,
    /// What the directive adds: why it was skipped, how it failed.
    pub reason: Option<String>,
    /// Diagnostic lines that belong to it, without `# `.
    pub diagnostics: Vec<String>,
    /// The tests of a suite.
    pub subtests: Vec<Test>,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// `ok`
    Pass,
    /// `not ok`
    Fail,
    /// `# SKIP`
    Skip,
    /// `# XFAIL` or `# TODO`: failed as expected.
    Xfail,
    /// `# TIMEOUT`
    Timeout,
    /// `# ERROR`, `Bail out!`: the test itself is broken.
    Error,
    /// It was running when the output ended.
    Crash,
}

impl Status {
    /// Whether the test counts against a run.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Fail | Self::Timeout | Self::Error | Self::Crash)
    }
}

impl Document {
    /// Every test that is no suite, with its path from the outermost suite on.
    pub fn leaves(&self) -> Vec<(String, &Test)> {
        let mut out = Vec::new();
        for test in &self.tests {
            test.collect_leaves("", &mut out);
        }
        out
    }

    /// Whether there is at least one test, none is bad, and the stream is whole.
    pub fn is_good(&self) -> bool {
        !self.tests.is_empty() && self.problems.is_empty() && self.tests.iter().all(Test::is_good)
    }
}

impl Test {
    /// Whether neither the test nor any below it is bad: a suite that says `ok` above a failed test is not.
    pub fn is_good(&self) -> bool {
        !self.status.is_bad()
            && self.subtests.iter().all(|test| test.status == Status::Xfail || test.is_good())
    }

    // The parser bounds the depth.
    fn collect_leaves<'a>(&'a self, path: &str, out: &mut Vec<(String, &'a Test)>) {
        let path =
            if path.is_empty() { self.name.clone() } else { format!("{path}.{}", self.name) };
        if self.subtests.is_empty() {
            out.push((path, self));
            return;
        }
        for test in &self.subtests {
            test.collect_leaves(&path, out);
        }
    }
}
