//! One line of a stack trace.
//!
//! `%pS` and `%pB` (`Documentation/core-api/printk-formats.rst`), `printk_stack_address` on x86,
//! `dump_backtrace_entry` on arm64; symbolised logs as `scripts/decode_stacktrace.sh` writes them.

use crate::Frame;

/// Reads a frame: ` ? f+0x1/0x2 [module]`, ` [<ffffffff81000000>] f+0x1/0x2`, ` f+0x1/0x2 file.c:12`,
/// ` f file.c:12 [inline]`, arm64's trailing ` (P)`, arm's ` (f) from [<…>] (g+0x1/0x2)`.
pub fn parse(message: &str) -> Option<Frame> {
    let mut text = message.trim();
    text = without_addresses(text);
    let reliable = !text.starts_with("? ");
    text = text.trim_start_matches("? ");
    let (symbol, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    match symbol_parts(symbol) {
        Some((name, offset, size)) if tail_fits(rest) => Some(Frame {
            function: function_name(name)?,
            symbol: name.to_owned(),
            offset: Some(offset),
            size: Some(size),
            module: module(rest),
            build_id: build_id(rest),
            location: location(rest),
            reliable: reliable && !rest.contains("(unreliable)"),
            inlined: false,
        }),
        Some(_) => None,
        None => inlined(symbol, rest),
    }
}

/// ` f file.c:12 [inline]`
fn inlined(symbol: &str, rest: &str) -> Option<Frame> {
    let place = rest.strip_suffix("[inline]")?.trim();
    (!place.contains(' ')).then_some(())?;
    location(place)?;
    Some(Frame {
        function: function_name(symbol)?,
        symbol: symbol.to_owned(),
        offset: None,
        size: None,
        module: None,
        build_id: None,
        location: location(place),
        reliable: true,
        inlined: true,
    })
}

/// `[<ffffffff81000000>] `, `[c000000001] [c000000002] ` and `(f) from [<…>] ` in front of the symbol.
fn without_addresses(mut text: &str) -> &str {
    if let Some((caller, callee)) = text.split_once(" from ")
        && (caller.starts_with("[<") || is_name(caller))
    {
        text = callee;
    }
    while let Some((inner, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        let address = inner.trim_matches(['<', '>', ' ']);
        let plain = address.len() >= 8
            && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'.');
        if !plain && address != "inline" {
            break;
        }
        text = rest.trim_start();
    }
    text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(text)
}

/// Name, offset and size of `name+0x1/0x2`.
fn symbol_parts(symbol: &str) -> Option<(&str, u64, u64)> {
    let (name, numbers) = symbol.rsplit_once("+0x")?;
    let (offset, size) = numbers.split_once("/0x")?;
    let hex = |digits: &str| u64::from_str_radix(digits, 16).ok();
    is_name(name).then_some(())?;
    Some((name, hex(offset)?, hex(size)?))
}

fn is_name(name: &str) -> bool {
    let fits =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '@' | '<' | '>' | ':');
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// What may stand behind a symbol on a line of its own.
fn tail_fits(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['[', '(']) || location(rest).is_some()
}

/// `[ext4]`, `[ext4 4f6a…]`, `[ext4(O)]`
fn module(rest: &str) -> Option<String> {
    let (_, inner) = rest.split_once('[')?;
    let name = inner.split([']', ' ', '(']).next()?;
    (is_name(name) && name != "inline").then(|| name.to_owned())
}

/// The second word in a module's brackets (`lib/vsprintf.c: sprint_symbol_build_id`).
fn build_id(rest: &str) -> Option<String> {
    let (inner, _) = rest.split_once('[')?.1.split_once(']')?;
    let id = inner.split(' ').nth(1)?;
    is_build_id(id).then(|| id.to_owned())
}

/// Whether a word is a build ID: 16 to 20 bytes in hexadecimal digits (`BUILD_ID_SIZE_MAX`).
pub(super) fn is_build_id(word: &str) -> bool {
    (32..=40).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `fs/ext4/inode.c:123`, or with a column; a `discriminator` note may follow.
fn location(rest: &str) -> Option<String> {
    let word = rest.split_whitespace().next()?;
    let (path, line) = word.split_once(':')?;
    let source = [".c", ".h", ".S", ".rs", ".s"].iter().any(|suffix| path.ends_with(suffix));
    let numbered = line.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    (source && numbered && !line.is_empty()).then(|| word.to_owned())
}

/// The function of a symbol as the kernel prints it: offset, brackets and compiler suffixes off, Rust demangled.
/// None for what is no name: addresses, `(null)`.
pub fn function_name(symbol: &str) -> Option<String> {
    let symbol = symbol.trim_matches(|c: char| {
        matches!(c, '[' | ']' | '(' | ')' | ',' | ':') || c.is_whitespace()
    });
    let name = symbol.split_once("+0x").map_or(symbol, |(name, _)| name);
    if name.starts_with("_R") || name.starts_with("_ZN") {
        return Some(demangled(name));
    }
    let name = without_suffixes(name);
    let address = name.starts_with("0x")
        || (name.len() >= 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit()));
    (is_name(name) && !address && name != "null").then(|| name.to_owned())
}

fn demangled(name: &str) -> String {
    let base = name.split_once(".llvm.").map_or(name, |(base, _)| base);
    format!("{:#}", rustc_demangle::demangle(base))
}

/// Suffixes by which compilers tell copies of a function apart.
fn without_suffixes(name: &str) -> &str {
    const SUFFIXES: [&str; 9] = [
        ".isra.",
        ".constprop.",
        ".part.",
        ".cold",
        ".llvm.",
        ".cfi",
        ".lto_priv.",
        ".localalias",
        ".__uniq.",
    ];
    let cut = SUFFIXES.iter().filter_map(|suffix| name.find(suffix)).min();
    cut.map_or(name, |at| &name[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_all_shapes_are_read() {
        let frame = parse(" ? ext4_map_blocks+0x1a/0x2b0 [ext4]").unwrap();
        assert_eq!((frame.function.as_str(), frame.reliable), ("ext4_map_blocks", false));
        assert_eq!((frame.module.as_deref(), frame.offset), (Some("ext4"), Some(0x1a)));
        assert_eq!(
            parse(" f+0x1/0x2 [ext4 0123456789abcdef0123456789abcdef01234567]").unwrap().build_id,
            Some("0123456789abcdef0123456789abcdef01234567".to_owned())
        );
        assert_eq!(
            parse(" [<ffffffff81234567>] do_one_initcall+0x5/0x10").unwrap().function,
            "do_one_initcall"
        );
        assert_eq!(
            parse(" kmalloc include/linux/slab.h:5 [inline]").unwrap().location.as_deref(),
            Some("include/linux/slab.h:5")
        );
        assert_eq!(parse(" el0_svc+0x2c/0x90 (P)").unwrap().function, "el0_svc");
        assert_eq!(parse(" f.isra.0.cold+0x1/0x2 mm/slub.c:10").unwrap().function, "f");
        assert_eq!(
            parse("[<c010d0c4>] (unwind_backtrace) from [<c0109f34>] (show_stack+0x10/0x14)")
                .unwrap()
                .function,
            "show_stack"
        );
    }

    #[test]
    fn text_is_no_frame() {
        for line in [
            "",
            "Call Trace:",
            "foo bar",
            "RIP: 0010:f+0x1/0x2",
            "at f+0x1/0x2 is bad",
            "0x1+0x2/0x3",
        ] {
            assert!(parse(line).is_none(), "{line}");
        }
    }

    #[test]
    fn rust_symbols_are_demangled() {
        let name =
            function_name("_RNvMCscfNc0EXava2_10kh_lockdepNtB2_5Locks2ba+0x26/0x90").unwrap();
        assert_eq!(name, "<kh_lockdep::Locks>::ba");
    }
}
