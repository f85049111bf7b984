//! One line of KTAP.

use super::Status;

/// What a line says, and how deep it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Columns of indentation; a `# ` of kselftest counts as two.
    pub indent: usize,
    pub content: Content<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// `KTAP version 1`, `TAP version 13`
    Version,
    /// `1..4`; a plan of none may say why: `1..0 # SKIP no such device`.
    Plan { count: u64, reason: Option<&'a str> },
    /// `# Subtest: name`, `# selftests: dir: prog`
    Announcement(&'a str),
    /// `ok 1 name # directive`
    Result { number: Option<u64>, name: &'a str, status: Status, reason: Option<&'a str> },
    /// `Bail out! reason`
    BailOut(&'a str),
    /// `# anything`
    Diagnostic(&'a str),
}

/// Reads a line; none if it is not KTAP.
pub(super) fn parse(text: &str) -> Option<Line<'_>> {
    let (indent, body) = indentation(text);
    let content = significant(body).or_else(|| comment(body));
    if let Some(content) = content {
        return Some(Line { indent, content });
    }
    commented(indent, body)
}

/// kselftest puts `# ` before the output of a program that prints TAP itself.
fn commented(indent: usize, body: &str) -> Option<Line<'_>> {
    let inner = body.strip_prefix("# ")?;
    let (deeper, inner_body) = indentation(inner);
    let nested =
        significant(inner_body).map(|content| Line { indent: indent + 2 + deeper, content });
    let twice = || {
        inner_body.starts_with("# ").then(|| commented(indent + 2 + deeper, inner_body)).flatten()
    };
    nested.or_else(twice).or(Some(Line { indent, content: Content::Diagnostic(inner) }))
}

fn indentation(text: &str) -> (usize, &str) {
    let body = text.trim_start_matches(' ');
    (text.len() - body.len(), body.trim_end())
}

fn significant(body: &str) -> Option<Content<'_>> {
    version(body).or_else(|| plan(body)).or_else(|| result(body)).or_else(|| bail_out(body))
}

fn version(body: &str) -> Option<Content<'_>> {
    let number =
        body.strip_prefix("KTAP version ").or_else(|| body.strip_prefix("TAP version "))?;
    number.parse::<u32>().ok().map(|_| Content::Version)
}

fn plan(body: &str) -> Option<Content<'_>> {
    let rest = body.strip_prefix("1..")?;
    let (count, tail) = rest.split_once(' ').unwrap_or((rest, ""));
    let reason = tail.split_once("SKIP").map(|(_, reason)| reason.trim());
    Some(Content::Plan { count: count.parse().ok()?, reason })
}

fn bail_out(body: &str) -> Option<Content<'_>> {
    body.strip_prefix("Bail out!").map(|reason| Content::BailOut(reason.trim()))
}

fn comment(body: &str) -> Option<Content<'_>> {
    let inner = body.strip_prefix("# ")?;
    let name = inner
        .strip_prefix("Subtest: ")
        .or_else(|| inner.starts_with("selftests: ").then_some(inner))?;
    Some(Content::Announcement(name.trim()))
}

fn result(body: &str) -> Option<Content<'_>> {
    let (good, rest) = match body.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, body.strip_prefix("ok")?),
    };
    (rest.is_empty() || rest.starts_with(' ')).then_some(())?;
    let rest = rest.trim_start();
    let (word, tail) = rest.split_once(' ').unwrap_or((rest, ""));
    let number = word.parse().ok();
    let description = if number.is_some() { tail } else { rest };
    let (name, directive) = split_directive(description);
    let (status, reason) = status(good, directive);
    let name = name.trim().strip_prefix("- ").unwrap_or(name.trim());
    Some(Content::Result { number, name, status, reason })
}

/// The name, and what stands behind the first ` # `.
fn split_directive(description: &str) -> (&str, Option<&str>) {
    if let Some(directive) = description.strip_prefix("# ") {
        return ("", Some(directive));
    }
    description
        .split_once(" # ")
        .map_or((description, None), |(name, directive)| (name, Some(directive.trim())))
}

fn status(good: bool, directive: Option<&str>) -> (Status, Option<&str>) {
    let plain = if good { Status::Pass } else { Status::Fail };
    let Some(directive) = directive else { return (plain, None) };
    let (word, reason) = directive.split_once([' ', ':']).unwrap_or((directive, ""));
    let reason = Some(reason.trim()).filter(|reason| !reason.is_empty());
    match word.to_ascii_uppercase().as_str() {
        "SKIP" | "SKIPPED" => (Status::Skip, reason),
        "XFAIL" | "TODO" if !good => (Status::Xfail, reason),
        "XFAIL" | "TODO" => (Status::Pass, reason),
        "TIMEOUT" => (Status::Timeout, reason),
        "ERROR" => (Status::Error, reason),
        _ => (plain, Some(directive)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_carry_their_directives() {
        let line = parse("    not ok 2 - takes lock # TIMEOUT 45 seconds").unwrap();
        assert_eq!(line.indent, 4);
        let expected = Content::Result {
            number: Some(2),
            name: "takes lock",
            status: Status::Timeout,
            reason: Some("45 seconds"),
        };
        assert_eq!(line.content, expected);
    }

    #[test]
    fn commented_results_are_nested_ones() {
        let line = parse("# ok 1 inner").unwrap();
        assert!(matches!((line.indent, line.content), (2, Content::Result { .. })));
        assert_eq!(parse("# just a note").unwrap().content, Content::Diagnostic("just a note"));
    }

    #[test]
    fn kernel_messages_are_no_ktap() {
        for line in ["okay then", "notok 1", "EXT4-fs: ok 1", "1..x", "", "ok1"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
