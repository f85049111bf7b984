//! From a raw line to its records.

use std::ops::Range;

use super::lines::RawLine;
use super::prefix::{self, Prefix};
use super::{Record, clean};

/// The records of one line: usually one, more where the console glued a message to something else, as in
/// `login: [   12.345678] BUG: …` or where two messages share a line.
pub fn records(line: RawLine<'_>, mut record: impl FnMut(Record)) {
    let mut prefix = Prefix::parse(line.bytes);
    let mut from = 0;
    for to in glued_stamps(line.bytes, prefix.len) {
        emit(line, from..to, prefix, &mut record);
        from = to;
        prefix = Prefix::parse(&line.bytes[from..]);
    }
    emit(line, from..line.bytes.len(), prefix, &mut record);
}

/// Offsets behind the prefix of time stamps that do not stand where a prefix may stand.
fn glued_stamps(bytes: &[u8], prefix: usize) -> impl Iterator<Item = usize> {
    memchr::memchr_iter(b'[', &bytes[prefix..])
        .map(move |at| at + prefix)
        .filter(|&at| at > 0 && prefix::stamp_len(&bytes[at..]).is_some())
        .map(|at| level_before(bytes, at))
}

/// A raw level (`<6>`) in front of a time stamp belongs to it.
fn level_before(bytes: &[u8], stamp: usize) -> usize {
    let window = &bytes[stamp.saturating_sub(5)..stamp];
    let open = window.iter().rposition(|&byte| byte == b'<');
    let level = open.map(|at| &window[at..]).filter(|level| level.ends_with(b">"));
    stamp - level.map_or(0, <[u8]>::len)
}

/// One record: the bytes of `part`, which begin with `prefix`.
fn emit(line: RawLine<'_>, part: Range<usize>, prefix: Prefix, record: &mut impl FnMut(Record)) {
    let last = part.end == line.bytes.len();
    let text = part.start + prefix.len.min(part.len())..part.end;
    record(Record {
        level: prefix.level,
        timestamp_us: prefix.timestamp_us,
        caller: prefix.caller,
        text: clean::text(&line.bytes[text], line.plain),
        start: line.start + part.start as u64,
        end: if last { line.end } else { line.start + part.end as u64 },
        stamped: prefix.stamped,
        from_user: prefix.facility.is_some_and(|facility| facility != 0),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<(u64, u64, String)> {
        let mut out = Vec::new();
        let raw = RawLine {
            bytes: line.as_bytes(),
            start: 100,
            end: 101 + line.len() as u64,
            plain: false,
        };
        records(raw, |record| out.push((record.start, record.end, record.text)));
        out
    }

    #[test]
    fn a_prompt_glued_to_a_message_is_a_record_of_its_own() {
        let got = texts("host login: [   12.345678][   T1] BUG: x");
        assert_eq!(got, [(100, 112, "host login:".into()), (112, 141, "BUG: x".into())]);
        assert_eq!(texts("a<4>[    1.000000] b").len(), 2);
    }

    #[test]
    fn two_messages_on_a_line_are_two_records() {
        let got = texts("[    1.000000] one[    2.000000] two");
        assert_eq!(got.iter().map(|record| record.2.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn brackets_in_a_message_split_nothing() {
        assert_eq!(texts("[    1.000000] foo+0x1/0x2 [ext4] [<ffffffff>] [1.5]").len(), 1);
    }
}
