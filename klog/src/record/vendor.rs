//! What vendors' kernels put between the time and the message.

use super::Caller;

/// A vendor's part of a prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Vendor {
    /// Who printed the message.
    pub caller: Option<Caller>,
    /// Bytes up to the message, or up to one blank before it; 0 without such a part.
    pub len: usize,
}

/// Reads ` c1   3460 ` (Android for Pixel), ` [1:   comm: 3460] ` (Samsung), `  (1)[3460:comm]` (MediaTek) or ` T3460 `
/// (Qualcomm) at the start of `bytes`.
pub(super) fn read(bytes: &[u8]) -> Vendor {
    let head = &bytes[..bytes.len().min(64)];
    let text = head.trim_ascii_start();
    let blanks = head.len() - text.len();
    let found =
        pixel(text).or_else(|| samsung(text)).or_else(|| mediatek(text)).or_else(|| qualcomm(text));
    found.map_or_else(Vendor::default, |(task, cpu, len)| Vendor {
        caller: Some(if task == 0 { Caller::Cpu(cpu) } else { Caller::Task(task) }),
        len: blanks + len,
    })
}

/// A thread, a processor, and the length of what names them.
type Found = (u32, u32, usize);

/// `c1   3460 `
fn pixel(text: &[u8]) -> Option<Found> {
    let (cpu, after_cpu) = number(text.strip_prefix(b"c")?)?;
    let blanks = blanks(&text[1 + after_cpu..])?;
    let (task, len) = number(&text[1 + after_cpu + blanks..])?;
    let len = 1 + after_cpu + blanks + len;
    (text.get(len) == Some(&b' ')).then_some((task, cpu, len))
}

/// `[1:   comm: 3460]`
fn samsung(text: &[u8]) -> Option<Found> {
    let (cpu, after_cpu) = number(text.strip_prefix(b"[")?)?;
    (text.get(1 + after_cpu) == Some(&b':')).then_some(())?;
    let close = memchr::memchr(b']', text)?;
    let last = memchr::memrchr(b':', &text[..close]).filter(|&at| at > 1 + after_cpu)?;
    let (task, _) = number(text[last + 1..close].trim_ascii())?;
    Some((task, cpu, close + 1))
}

/// `(1)[3460:comm]`
fn mediatek(text: &[u8]) -> Option<Found> {
    let (cpu, after_cpu) = number(text.strip_prefix(b"(")?)?;
    let tail = text[1 + after_cpu..].strip_prefix(b")[")?;
    let (task, digits) = number(tail)?;
    (tail.get(digits) == Some(&b':')).then_some(())?;
    let close = memchr::memchr(b']', text)?;
    Some((task, cpu, close + 1))
}

/// `T3460 `
fn qualcomm(text: &[u8]) -> Option<Found> {
    let (task, digits) = number(text.strip_prefix(b"T")?)?;
    (text.get(1 + digits) == Some(&b' ')).then_some((task, 0, 1 + digits))
}

/// The number at the start of `bytes`, and its length.
fn number(bytes: &[u8]) -> Option<(u32, usize)> {
    let len = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = std::str::from_utf8(&bytes[..len]).ok()?.parse().ok()?;
    Some((value, len))
}

fn blanks(bytes: &[u8]) -> Option<usize> {
    Some(bytes.iter().take_while(|&&byte| byte == b' ').count()).filter(|&count| count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_vendors_are_read() {
        let task = |text: &str| {
            let vendor = read(text.as_bytes());
            (vendor.caller, text[vendor.len..].trim_start().to_owned())
        };
        let want = (Some(Caller::Task(3460)), "BUG: x".to_owned());
        for text in [
            " c1   3460 BUG: x",
            "  [1:  a b:c: 3460] BUG: x",
            "  (1)[3460:comm]BUG: x",
            " T3460 BUG: x",
        ] {
            assert_eq!(task(text), want, "{text}");
        }
        assert_eq!(task(" c1      0 x").0, Some(Caller::Cpu(1)));
    }

    #[test]
    fn messages_are_left_alone() {
        for text in [
            "",
            " call trace",
            " [ext4] x",
            " (1) x",
            " c1: 3460",
            " T: x",
            " [0: x",
            " [ BUG: Invalid wait context ]",
        ] {
            assert_eq!(read(text.as_bytes()), Vendor::default(), "{text}");
        }
    }
}
