//! Makes readable text of console bytes.

use std::borrow::Cow;

/// The bytes as text: without terminal escapes (ECMA-48), NULs and carriage returns; invalid UTF-8 replaced. `plain` is
/// what [`is_plain`] says, where that is known.
pub(super) fn text(bytes: &[u8], plain: bool) -> String {
    let bytes = bytes.trim_ascii_end();
    let cleaned = if plain || is_plain(bytes) {
        Cow::Borrowed(bytes)
    } else {
        Cow::Owned(without_noise(bytes))
    };
    let text = cleaned.trim_ascii_end();
    // The kernel's text is valid as a rule, which is much cheaper to see than to mend.
    match std::str::from_utf8(text) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(text).into_owned(),
    }
}

/// Whether there is no control byte in `bytes`, which may be many lines.
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    // Without an early way out and in bytes, so that the loop becomes vector code.
    let noise = |byte: u8| u8::from(byte < 0x20 && byte != b'\n') | u8::from(byte == 0x7f);
    bytes.iter().fold(0, |noisy, &byte| noisy | noise(byte)) == 0
}

fn is_noise(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
}

fn without_noise(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match byte {
            0x1b => after_escape(tail),
            _ => tail,
        };
        if !is_noise(byte) {
            out.push(byte);
        }
    }
    out
}

/// What follows an escape sequence whose ESC has been read.
fn after_escape(bytes: &[u8]) -> &[u8] {
    match bytes.split_first() {
        // CSI: parameters and intermediates, then one final byte (ECMA-48, 5.4).
        Some((b'[', tail)) => {
            let len = tail.iter().take_while(|byte| (0x20..0x40).contains(*byte)).count();
            tail.get(len + 1..).unwrap_or_default()
        }
        Some((_, tail)) => tail,
        None => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_control_bytes_go_text_stays() {
        let clean = |bytes: &[u8]| text(bytes, false);
        assert_eq!(clean(b"\x1b[1;31mBUG\x1b[0m: \0at\t1\r"), "BUG: at\t1");
        assert_eq!(clean(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(clean(b"cut \x1b["), "cut");
    }
}
