//! Puts the page together.

use std::io::{self, Write};

use super::data;
use crate::results::Document;

const HEAD: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the page. What it shows is data in it, drawn by its script; without scripts it says so
/// and lists the tests.
pub fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let json = serde_json::to_string(&data::page(document))?;
    let parts = [
        ("{{title}}", escape(&document.run.id)),
        ("{{style}}", STYLE.to_owned()),
        ("{{list}}", list(document)),
        ("{{data}}", inert(&json)),
        ("{{script}}", SCRIPT.to_owned()),
    ];
    let mut rest = HEAD;
    for (mark, text) in parts {
        let (before, after) = rest.split_once(mark).unwrap_or((rest, ""));
        write!(out, "{before}{text}")?;
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// JSON that cannot end the element that it is in, or start a comment (HTML, section 4.12.1.3).
fn inert(json: &str) -> String {
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The tests without a script.
fn list(document: &Document) -> String {
    let lines = document.results.iter().map(|result| {
        let cause = result.cause.as_deref().unwrap_or_default();
        format!("<li><b>{}</b> {} {}</li>", result.status, escape(&result.id), escape(cause))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_end_its_element() {
        assert_eq!(inert(r#"{"a":"</script><!--"}"#), r#"{"a":"\u003c/script>\u003c!--"}"#);
        assert_eq!(escape("<a b=\"c\">&"), "&lt;a b=&quot;c&quot;&gt;&amp;");
    }
}
