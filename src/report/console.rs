//! A console in pieces: plain text, kernel reports, and notes on what is left out.

use std::ops::Range;

use serde::Serialize;

/// Bytes shown before a report where not everything is shown.
const BEFORE: usize = 1500;

/// A piece of a console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// The text.
    t: String,
    /// Number of the kernel report that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    r: Option<usize>,
    /// Bytes that are left out here.
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<usize>,
}

impl Segment {
    /// Plain text.
    pub fn text(text: &str) -> Self {
        Self { t: text.to_owned(), r: None, gap: None }
    }
}

/// The pieces of a console, about `most` bytes of it. `reports` are ranges of bytes; where they
/// overlap, a later one begins behind the one before.
pub fn segments(bytes: &[u8], reports: &[(u64, u64)], most: usize) -> Vec<Segment> {
    let reports = ranges(reports, bytes.len());
    let mut pieces = Vec::new();
    let mut at = 0;
    for window in windows(bytes.len(), &reports, most) {
        if window.start > at {
            pieces.push(Segment { t: String::new(), r: None, gap: Some(window.start - at) });
        }
        of_window(bytes, &window, &reports, &mut pieces);
        at = window.end;
    }
    if at < bytes.len() {
        pieces.push(Segment { t: String::new(), r: None, gap: Some(bytes.len() - at) });
    }
    pieces
}

/// Ranges in the file, in order, apart.
fn ranges(reports: &[(u64, u64)], length: usize) -> Vec<(usize, Range<usize>)> {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(length);
    let mut ranges: Vec<_> =
        reports.iter().enumerate().map(|(n, (start, end))| (n, at(*start)..at(*end))).collect();
    ranges.sort_by_key(|(_, range)| range.start);
    let mut free = 0;
    for (_, range) in &mut ranges {
        range.start = range.start.max(free).min(range.end.max(free));
        range.end = range.end.max(range.start);
        free = range.end;
    }
    ranges.retain(|(_, range)| !range.is_empty());
    ranges
}

/// The parts to show: everything where it fits; else reports with what came before them, and the
/// end, until the room is used up.
fn windows(length: usize, reports: &[(usize, Range<usize>)], most: usize) -> Vec<Range<usize>> {
    if length <= most {
        return std::iter::once(0..length).collect();
    }
    let tail = length - most / 4..length;
    let mut room = most - most / 4;
    let mut windows = Vec::new();
    for (_, report) in reports {
        let window = report.start.saturating_sub(BEFORE)..report.end.min(report.start + room);
        if window.len() > room {
            break;
        }
        room -= window.len();
        windows.push(window);
    }
    windows.push(tail);
    join(windows)
}

/// The same bytes in windows that do not touch.
fn join(mut windows: Vec<Range<usize>>) -> Vec<Range<usize>> {
    windows.sort_by_key(|window| window.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for window in windows {
        match joined.last_mut() {
            Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
            _ => joined.push(window),
        }
    }
    joined
}

fn of_window(
    bytes: &[u8],
    window: &Range<usize>,
    reports: &[(usize, Range<usize>)],
    pieces: &mut Vec<Segment>,
) {
    let mut at = window.start;
    let inside = reports.iter().filter(|(_, r)| r.start < window.end && r.end > window.start);
    for (number, report) in inside {
        let (start, end) = (report.start.max(at), report.end.min(window.end));
        push(bytes, at..start, None, pieces);
        push(bytes, start..end, Some(*number), pieces);
        at = end;
    }
    push(bytes, at..window.end, None, pieces);
}

fn push(bytes: &[u8], range: Range<usize>, report: Option<usize>, pieces: &mut Vec<Segment>) {
    if !range.is_empty() {
        let text = String::from_utf8_lossy(&bytes[range]).replace('\r', "");
        pieces.push(Segment { t: text, r: report, gap: None });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(pieces: &[Segment]) -> String {
        pieces.iter().map(|piece| piece.t.as_str()).collect()
    }

    #[test]
    fn a_report_is_a_piece_of_its_own() {
        let pieces = segments(b"before REPORT after", &[(7, 13)], 100);
        assert_eq!(shown(&pieces), "before REPORT after");
        assert_eq!((pieces[1].t.as_str(), pieces[1].r), ("REPORT", Some(0)));
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let bytes = [b'x'; 1000];
        let pieces = segments(&bytes, &[], 100);
        assert_eq!(pieces[0].gap, Some(975));
        assert_eq!(shown(&pieces).len(), 25);
    }

    proptest! {
        #[test]
        fn every_byte_is_shown_or_counted_once(
            length in 0_usize..6000,
            reports in prop::collection::vec((0_u64..7000, 0_u64..7000), 0..5),
            most in 1_usize..7000,
        ) {
            let bytes = vec![b'x'; length];
            let pieces = segments(&bytes, &reports, most);
            let counted: usize = pieces.iter().map(|p| p.t.len() + p.gap.unwrap_or(0)).sum();
            prop_assert_eq!(counted, length);
        }
    }
}
