//! Makes readable text of console bytes.

use std::borrow::Cow;

/// The bytes as text: without terminal escapes (ECMA-48), NULs and carriage returns; invalid UTF-8 replaced.
pub(super) fn text(bytes: &[u8]) -> String {
    let cleaned = if bytes.iter().any(|&byte| is_noise(byte)) {
        Cow::Owned(without_noise(bytes))
    } else {
        Cow::Borrowed(bytes)
    };
    String::from_utf8_lossy(&cleaned).trim_end().to_owned()
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
        assert_eq!(text(b"\x1b[1;31mBUG\x1b[0m: \0at\t1\r"), "BUG: at\t1");
        assert_eq!(text(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(text(b"cut \x1b["), "cut");
    }
}
