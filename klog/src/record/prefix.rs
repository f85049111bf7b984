//! The prefix of a console line: level, time, caller.
//!
//! Shapes: `info_print_prefix` and `msg_print_text` in `kernel/printk/printk.c` (console and syslog(2)),
//! `Documentation/ABI/testing/dev-kmsg` (`/dev/kmsg`), dmesg(1) (`-T`, `-x`).

use super::Caller;
use super::{transport, vendor};

/// What stands in front of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefix {
    /// Log level, 0 to 7.
    pub level: Option<u8>,
    /// Syslog facility; 0 is the kernel, anything else came through `/dev/kmsg`.
    pub facility: Option<u32>,
    /// Microseconds since boot.
    pub timestamp_us: Option<u64>,
    /// The printing task or processor.
    pub caller: Option<Caller>,
    /// Whether any part of a kernel prefix was there.
    pub stamped: bool,
    /// Length of the prefix in bytes; the message starts there.
    pub len: usize,
}

impl Prefix {
    /// Takes the prefix off `line`.
    pub fn parse(line: &[u8]) -> Self {
        let mut cursor = Cursor { line, at: 0 };
        cursor.skip_noise();
        if let Some(prefix) = cursor.dev_kmsg() {
            return prefix;
        }
        cursor.at += transport::len(&line[cursor.at..]);
        let mut prefix = Self::default();
        cursor.level(&mut prefix);
        cursor.time(&mut prefix);
        while cursor.caller(&mut prefix) {}
        if prefix.stamped {
            let vendor = vendor::read(cursor.rest());
            prefix.caller = prefix.caller.or(vendor.caller);
            cursor.at += vendor.len;
            cursor.eat(b' ');
            cursor.at += transport::host_len(&line[cursor.at..]);
        }
        prefix.len = cursor.at;
        prefix
    }
}

/// Length of a kernel time stamp, `[    1.234567]`, at the start of `bytes`.
pub(super) fn stamp_len(bytes: &[u8]) -> Option<usize> {
    let mut cursor = Cursor { line: bytes, at: 0 };
    cursor.bracketed(uptime_us)?;
    Some(cursor.at)
}

struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.rest().first() == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn skip_noise(&mut self) {
        let noise = |byte: &&u8| matches!(byte, b'\r' | 0);
        self.at += self.rest().iter().take_while(noise).count();
    }

    /// `6,339,5140900,-,caller=T1;message`
    fn dev_kmsg(&self) -> Option<Prefix> {
        let rest = self.rest();
        rest.first().filter(|byte| byte.is_ascii_digit())?;
        let head = &rest[..memchr::memchr(b';', &rest[..rest.len().min(96)])?];
        let mut fields = head.split(|&byte| byte == b',');
        let priority = number(fields.next()?)?;
        number(fields.next()?)?;
        let time = number(fields.next()?)?;
        let flag = fields.next()?;
        (flag.len() == 1).then_some(())?;
        let caller = fields.find_map(|field| caller(field.strip_prefix(b"caller=")?));
        let (level, facility) = split_priority(priority)?;
        Some(Prefix {
            level: Some(level),
            facility: Some(facility),
            timestamp_us: Some(time),
            caller,
            stamped: true,
            len: self.at + head.len() + 1,
        })
    }

    /// `<6>`, `<14>`, or `kern  :info  : ` as `dmesg -x` prints it.
    fn level(&mut self, prefix: &mut Prefix) {
        let raw = || {
            let body = self.rest().strip_prefix(b"<")?;
            let len = memchr::memchr(b'>', &body[..body.len().min(5)])?;
            Some((split_priority(number(&body[..len])?)?, len + 2))
        };
        if let Some(((level, facility), len)) = raw().or_else(|| decoded_level(self.rest())) {
            prefix.level = Some(level);
            prefix.facility = Some(facility);
            prefix.stamped = true;
            self.at += len;
        }
    }

    /// `[    1.234567]`, or `[Mon Jan  1 00:00:00 2024]` as `dmesg -T` prints it.
    fn time(&mut self, prefix: &mut Prefix) {
        if let Some(time) = self.bracketed(uptime_us) {
            prefix.timestamp_us = Some(time);
            prefix.stamped = true;
        } else if self.bracketed(calendar_time).is_some() {
            prefix.stamped = true;
        }
    }

    /// `[  T123]`; vendors' kernels repeat it or append `@cpu`. Whether there was one.
    fn caller(&mut self, prefix: &mut Prefix) -> bool {
        let before = self.at;
        self.eat(b' ');
        let found = self.bracketed(|inner| caller(inner.trim_ascii()));
        prefix.caller = prefix.caller.or(found);
        prefix.stamped |= found.is_some();
        if found.is_none() {
            self.at = before;
        }
        found.is_some()
    }

    /// Reads `[inner]` if `read` accepts the inner part; a prefix's brackets are short.
    fn bracketed<T>(&mut self, read: impl Fn(&'a [u8]) -> Option<T>) -> Option<T> {
        let body = self.rest().strip_prefix(b"[")?;
        let len = memchr::memchr(b']', &body[..body.len().min(40)])?;
        let value = read(&body[..len])?;
        self.at += len + 2;
        Some(value)
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// A syslog priority: facility times eight plus level.
fn split_priority(priority: u64) -> Option<(u8, u32)> {
    let level = u8::try_from(priority & 7).ok()?;
    let facility = u32::try_from(priority >> 3).ok().filter(|&facility| facility < 1024)?;
    Some((level, facility))
}

/// `12.345678`, seconds and microseconds; some vendor kernels append `,cpu`.
fn uptime_us(inner: &[u8]) -> Option<u64> {
    let inner = inner.trim_ascii();
    let dot = memchr::memchr(b'.', inner)?;
    let seconds = number(&inner[..dot])?;
    let fraction = &inner[dot + 1..];
    let fraction = fraction.split(|&byte| byte == b',').next()?;
    let digits = matches!(fraction.len(), 6 | 9) && fraction.iter().all(u8::is_ascii_digit);
    let micros = digits.then(|| number(&fraction[..6])).flatten()?;
    seconds.checked_mul(1_000_000)?.checked_add(micros)
}

/// `Mon Jan  1 00:00:00 2024`: a day's name, and a clock time.
fn calendar_time(inner: &[u8]) -> Option<()> {
    const DAYS: [&[u8]; 7] = [b"Mon ", b"Tue ", b"Wed ", b"Thu ", b"Fri ", b"Sat ", b"Sun "];
    let day = DAYS.iter().any(|day| inner.starts_with(day));
    (day && inner.iter().filter(|&&byte| byte == b':').count() == 2).then_some(())
}

/// `T123` or `C0`.
fn caller(inner: &[u8]) -> Option<Caller> {
    let (kind, id) = inner.split_first()?;
    let id = id.split(|&byte| byte == b'@').next()?;
    let id = u32::try_from(number(id)?).ok()?;
    match kind {
        b'T' => Some(Caller::Task(id)),
        b'C' => Some(Caller::Cpu(id)),
        _ => None,
    }
}

/// `kern  :warn  : `: facility and level in columns of at least six.
fn decoded_level(bytes: &[u8]) -> Option<((u8, u32), usize)> {
    const LEVELS: [&[u8]; 8] =
        [b"emerg", b"alert", b"crit", b"err", b"warn", b"notice", b"info", b"debug"];
    let head = &bytes[..bytes.len().min(24)];
    let first = memchr::memchr(b':', head)?;
    let second = first + 1 + memchr::memchr(b':', &head[first + 1..])?;
    let facility = head[..first].trim_ascii();
    let level = head[first + 1..second].trim_ascii();
    let level = LEVELS.iter().position(|name| *name == level)?;
    let known = matches!(facility, b"kern" | b"user" | b"daemon" | b"auth" | b"syslog");
    let facility = u32::from(facility != b"kern");
    known.then_some(((u8::try_from(level).ok()?, facility), second + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> (Prefix, &str) {
        let prefix = Prefix::parse(line.as_bytes());
        (prefix, &line[prefix.len..])
    }

    #[test]
    fn console_prefixes_are_taken_apart() {
        let (prefix, text) = parse("<4>[   12.345678][  T123] BUG: x");
        assert_eq!((prefix.level, prefix.timestamp_us), (Some(4), Some(12_345_678)));
        assert_eq!((prefix.caller, text), (Some(Caller::Task(123)), "BUG: x"));
        let (prefix, text) = parse("[    0.000000][    C1]  frame");
        assert_eq!((prefix.caller, text), (Some(Caller::Cpu(1)), " frame"));
        assert_eq!(parse("[T17] text").0.caller, Some(Caller::Task(17)));
    }

    #[test]
    fn a_bracketed_message_is_no_prefix() {
        let (prefix, text) = parse("[   12.345678] [ BUG: Invalid wait context ]");
        assert_eq!((prefix.caller, text), (None, "[ BUG: Invalid wait context ]"));
        assert!(!parse("[ INFO: possible recursive locking detected ]").0.stamped);
    }

    #[test]
    fn dmesg_and_kmsg_and_syslog_shapes_are_known() {
        let (prefix, text) = parse("6,339,5140900,-,caller=T1;NET: x");
        assert_eq!(
            (prefix.caller, prefix.facility, text),
            (Some(Caller::Task(1)), Some(0), "NET: x")
        );
        assert_eq!(parse("12,339,5140900,-;forged").0.facility, Some(1));
        assert_eq!(parse("kern  :warn  : [    1.000000] text").1, "text");
        assert_eq!(parse("[Mon Jan  1 00:00:00 2024] text").1, "text");
        assert_eq!(parse("Jan 12 10:11:12 host kernel: [   12.345678] text").1, "text");
        assert_eq!(parse("2024-01-12T10:11:12.123456+00:00 host kernel: text").1, "text");
        assert_eq!(parse("[   12.345678] host kernel: text").1, "text");
    }

    #[test]
    fn plain_text_has_no_prefix() {
        for line in ["", "[", "[]", "[ 1.5] x", "executing program", "6,x;y", "<9999>x", "[T]x"] {
            assert!(!parse(line).0.stamped, "{line}");
        }
    }
}
