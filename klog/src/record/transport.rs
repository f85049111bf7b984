//! What log carriers put in front of the kernel's own prefix: syslog, the journal, CI systems.

/// Length of a carrier's prefix at the start of `bytes`; 0 if there is none.
///
/// `Jan 12 10:11:12 host kernel: `, `2024-01-12T10:11:12.123456+00:00 host kernel: `, or an ISO time alone.
pub(super) fn len(bytes: &[u8]) -> usize {
    let time = iso_len(bytes).or_else(|| syslog_len(bytes));
    time.map_or(0, |len| len + host_len(&bytes[len..]))
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

/// `Jan 12 10:11:12 ` (RFC 3164)
fn syslog_len(bytes: &[u8]) -> Option<usize> {
    const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let head = bytes.get(..16)?;
    MONTHS.chunks(3).any(|month| head.starts_with(month)).then_some(())?;
    let clock = head[9] == b':' && head[12] == b':' && head[15] == b' ';
    clock.then_some(16)
}

/// `2024-01-12T10:11:12.123456+00:00 ` (RFC 3339)
fn iso_len(bytes: &[u8]) -> Option<usize> {
    let head = bytes.get(..19)?;
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    marks.iter().all(|&(at, mark)| head[at] == mark).then_some(())?;
    head[..4].iter().all(u8::is_ascii_digit).then_some(())?;
    let end = 19 + memchr::memchr(b' ', &bytes[19..bytes.len().min(48)])?;
    Some(end + 1)
}
