//! Small tools for reading kernel messages.

/// Subsystem prefixes (`pr_fmt`) that report lines carry in some versions and not in others.
const SUBSYSTEMS: [&str; 17] = [
    "rcu: ",
    "watchdog: ",
    "NMI watchdog: ",
    "kmemleak: ",
    "usercopy: ",
    "workqueue: ",
    "smp: ",
    "sched: ",
    "lockdep: ",
    "x86/mm: ",
    "traps: ",
    "mm: ",
    "kasan: ",
    "kfence: ",
    "slub: ",
    "SLUB: ",
    "rcu-torture: ",
];

/// The message without its subsystem prefixes.
pub fn without_subsystem(message: &str) -> &str {
    let stripped = SUBSYSTEMS.iter().find_map(|prefix| message.strip_prefix(prefix));
    stripped.map_or(message, without_subsystem)
}

/// The text between `before` and the next `after`.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner)
}

/// The first word.
pub fn word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

/// The function of `name+0x1/0x2`, or of a bare name; none for an address.
pub fn function(symbol: &str) -> Option<String> {
    crate::analyse::frame::function_name(symbol)
}

/// `text` with everything that differs between runs replaced: addresses `ADDR`, numbers `NUM`, and
/// `function+0x1/0x2` cut to the function.
pub fn canonical(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 {
            out.push(' ');
        }
        out.push_str(&canonical_word(word));
    }
    truncate(&mut out, 120);
    out
}

fn canonical_word(word: &str) -> String {
    if let Some((name, offset)) = word.split_once("+0x")
        && offset.contains("/0x")
        && !name.is_empty()
    {
        return name.to_owned();
    }
    let mut out = String::with_capacity(word.len());
    for token in tokens(word) {
        out.push_str(replacement(token).unwrap_or(token));
    }
    out
}

/// Runs of letters and digits, and what lies between them.
fn tokens(word: &str) -> impl Iterator<Item = &str> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = word;
    std::iter::from_fn(move || {
        let first = is_name(rest.chars().next()?);
        let len = rest.find(|c| is_name(c) != first).unwrap_or(rest.len());
        let (token, tail) = rest.split_at(len);
        rest = tail;
        Some(token)
    })
}

fn replacement(token: &str) -> Option<&'static str> {
    let hex = token.strip_prefix("0x").unwrap_or(token);
    let is_hex = !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_decimal = token.bytes().all(|byte| byte.is_ascii_digit());
    match token {
        _ if is_hex && (hex.len() >= 8 || hex.len() < token.len()) => Some("ADDR"),
        _ if is_decimal && !token.is_empty() => Some("NUM"),
        _ => None,
    }
}

/// Cuts `text` to at most `len` bytes at a character's border.
pub fn truncate(text: &mut String, len: usize) {
    let mut len = len.min(text.len());
    while !text.is_char_boundary(len) {
        len -= 1;
    }
    text.truncate(len);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_keeps_names_and_drops_numbers() {
        let text = "spinlock bad magic on CPU#1, x/42 at ffff888012345678 0x1f f+0x1/0x2 ext4";
        assert_eq!(canonical(text), "spinlock bad magic on CPU#NUM, x/NUM at ADDR ADDR f ext4");
    }

    #[test]
    fn subsystems_are_stripped_repeatedly() {
        assert_eq!(without_subsystem("watchdog: BUG: x"), "BUG: x");
        assert_eq!(without_subsystem("foo: BUG: x"), "foo: BUG: x");
    }
}
