//! What log carriers put in front of the kernel's own prefix: syslog, the journal, CI systems.

/// Length of a carrier's prefix at the start of `bytes`; 0 if there is none.
///
/// `Jan 12 10:11:12 host kernel: `, `2024-01-12T10:11:12.123456+00:00 host kernel: `, or an ISO time alone.
pub(super) fn len(bytes: &[u8]) -> usize {
    let time = iso_len(bytes).or_else(|| syslog_len(bytes));
    let time = time.map(|len| len + host_len(&bytes[len..]));
    time.or_else(|| logcat_len(bytes)).unwrap_or(0)
}

/// Length of `host kernel: ` (or `kernel: `) at the start of `bytes`; 0 if there is none.
pub(super) fn host_len(bytes: &[u8]) -> usize {
    const TAG: &[u8] = b"kernel: ";
    if bytes.starts_with(TAG) {
        return TAG.len();
    }
    let head = &bytes[..bytes.len().min(80)];
    let host = memchr::memchr(b' ', head).map_or(0, |at| at + 1);
    if host > 1 && head[host..].starts_with(TAG) { host + TAG.len() } else { 0 }
}

/// `Jan 12 10:11:12 ` (RFC 3164); the journal can add a year in front, or a fraction of the second.
fn syslog_len(bytes: &[u8]) -> Option<usize> {
    const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let year =
        bytes.get(..5).filter(|head| head[..4].iter().all(u8::is_ascii_digit) && head[4] == b' ');
    let from = year.map_or(0, <[u8]>::len);
    let head = bytes.get(from..from + 15)?;
    MONTHS.chunks(3).any(|month| head.starts_with(month)).then_some(())?;
    (head[9] == b':' && head[12] == b':').then_some(())?;
    blank_behind(bytes, from + 15)
}

/// Offset behind the blank that ends a fraction of a second at `at`, or nothing, if only that stands there.
fn blank_behind(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let fraction =
        rest.iter().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',')).count();
    (rest.get(fraction) == Some(&b' ')).then_some(at + fraction + 1)
}

/// `01-12 10:11:12.345     0     0 E tag     : `, Android's logcat; thread 0 is the kernel.
fn logcat_len(bytes: &[u8]) -> Option<usize> {
    let head = bytes.get(..14)?;
    let marks = [(2, b'-'), (5, b' '), (8, b':'), (11, b':')];
    marks.iter().all(|&(at, mark)| head[at] == mark).then_some(())?;
    let ids = blank_behind(bytes, 14)?;
    let tail = &bytes[ids..bytes.len().min(ids + 48)];
    let mut words = tail.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let kernel = words.next() == Some(b"0") && words.next() == Some(b"0");
    kernel.then_some(())?;
    Some(ids + memchr::memmem::find(tail, b": ")? + 2)
}

/// `2024-01-12T10:11:12.123456+00:00 ` (RFC 3339), with a blank for the `T` too.
fn iso_len(bytes: &[u8]) -> Option<usize> {
    let bracket = usize::from(bytes.first() == Some(&b'['));
    let bytes = &bytes[bracket..];
    let head = bytes.get(..19)?;
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    marks.iter().all(|&(at, mark)| head[at] == mark).then_some(())?;
    (matches!(head[10], b'T' | b' ') && head[..4].iter().all(u8::is_ascii_digit)).then_some(())?;
    let end = 19 + memchr::memchr(b' ', &bytes[19..bytes.len().min(48)])?;
    Some(bracket + end + 1)
}
