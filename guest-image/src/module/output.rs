//! What compilers say.

/// Lines of make about itself: which rule failed, after the compiler has said why.
const MAKE: [&str; 2] = ["make: ", "make["];

/// What the compilers said: all of it, as they said it, without make's own lines.
pub(super) fn of_compilers(text: &str) -> String {
    let said = text.lines().filter(|line| !MAKE.iter().any(|prefix| line.starts_with(prefix)));
    said.fold(String::new(), |text, line| text + line + "\n")
}

/// The first error in one line, with its place: `FILE:LINE:COLUMN: error[E0308]: mismatched types`.
pub(super) fn first_error(output: &str) -> String {
    let mut lines = output.lines();
    let Some(error) = lines.find(|line| is_error(line)) else {
        return output.lines().last().unwrap_or("the compiler did not say why").to_owned();
    };
    // rustc puts the place on the next line, gcc in front.
    match lines.next().and_then(|next| next.trim_start().strip_prefix("--> ")) {
        Some(place) => format!("{place}: {error}"),
        None => error.to_owned(),
    }
}

fn is_error(line: &str) -> bool {
    line.starts_with("error") || line.contains(" error: ") || line.starts_with("ERROR: ")
}

/// The symbols that modpost found nobody to export (scripts/mod/modpost.c, `check_exports`).
pub(super) fn undefined_symbols(output: &str) -> Vec<String> {
    let mut symbols: Vec<String> = output
        .lines()
        .filter(|line| line.starts_with("ERROR: modpost: ") && line.ends_with("undefined!"))
        .filter_map(quoted)
        .map(|symbol| format!("{:#}", rustc_demangle::demangle(symbol)))
        .collect();
    symbols.dedup();
    symbols
}

/// `ERROR: modpost: m.ko: symbol 'NAME' undefined!`; `"NAME" [m.ko] undefined!` in older kernels.
fn quoted(line: &str) -> Option<&str> {
    let newer = line.split_once("symbol '").and_then(|(_, rest)| rest.split('\'').next());
    newer.or_else(|| line.split('"').nth(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_rustc_is_told_with_its_place() {
        let output = "warning: unused\n --> a.rs:1:1\n\nerror[E0308]: mismatched types\n  --> /m/a.rs:7:5\n   |\n";
        assert_eq!(first_error(output), "/m/a.rs:7:5: error[E0308]: mismatched types");
    }

    #[test]
    fn an_error_of_gcc_has_its_place_in_front() {
        let output = "/m/a.c: In function 'f':\n/m/a.c:3:9: error: 'x' undeclared\n    3 |  x;\n";
        assert_eq!(first_error(output), "/m/a.c:3:9: error: 'x' undeclared");
    }

    #[test]
    fn lines_of_make_are_left_out_and_all_others_kept() {
        let text = "error: a\n  --> b\nmake[3]: *** [x] Error 1\nmake: *** [y] Error 2\n";
        assert_eq!(of_compilers(text), "error: a\n  --> b\n");
    }

    #[test]
    fn undefined_symbols_are_listed_demangled() {
        let output = "ERROR: modpost: \"no_such\" [kh_x.ko] undefined!\n\
                      ERROR: modpost: kh_x.ko: symbol '_RNvCs1234_7mycrate3foo' undefined!\n";
        assert_eq!(undefined_symbols(output), ["no_such", "mycrate::foo"]);
    }
}
