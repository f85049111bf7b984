//! KTAP: the test results that the kernel prints.
//!
//! `Documentation/dev-tools/ktap.rst` (KTAP 1), TAP 13 and 14 (testanything.org), and the dialects of KUnit
//! (four spaces a level, `# Subtest:`) and kselftest (`# ` a level, `# TIMEOUT`, `# exit=1`).

mod document;
mod line;
mod parser;

pub use document::{Document, Status, Test};
pub use parser::Parser;

/// The results in a text without prefixes, as `/sys/kernel/debug/kunit/SUITE/results` or kselftest gives them.
pub fn parse(text: &str) -> Document {
    let mut parser = Parser::new();
    for line in text.lines() {
        parser.line(line);
    }
    parser.finish()
}
