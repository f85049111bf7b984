//! What the Kconfig files say of a symbol that was not honoured.
//!
//! Only what helps a person: where the symbol is defined, and the conditions written there and
//! around it (`if` blocks and menus of the same file). The language is that of the kernel's
//! Documentation/kbuild/kconfig-language.rst.

use std::fs;
use std::path::Path;

use walkdir::WalkDir;

use super::super::config::Config;

/// Where a symbol is defined, and under which conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Definition {
    place: String,
    conditions: Vec<String>,
    /// Whether a person or a fragment can set it.
    has_prompt: bool,
}

/// Why `symbol` has not the value it was given, as far as the Kconfig files of `source` tell.
pub(super) fn explain(source: &Path, symbol: &str, config: &Config) -> String {
    let definitions = definitions(source, symbol);
    if definitions.is_empty() {
        return "this kernel has no such symbol".into();
    }
    definitions.iter().map(|d| describe(d, config)).collect::<Vec<_>>().join("; or ")
}

fn describe(definition: &Definition, config: &Config) -> String {
    let Definition { place, conditions, has_prompt } = definition;
    let prompt = if *has_prompt { "" } else { "it cannot be set by hand, others select it; " };
    if conditions.is_empty() {
        return format!("{prompt}it is defined in {place} without conditions");
    }
    let all: Vec<String> = conditions.iter().map(|text| with_values(text, config)).collect();
    format!("{prompt}it depends on {} ({place})", all.join(" && "))
}

/// Puts each symbol's value behind it: `SMP && !UML` becomes `SMP [y] && !UML [n]`.
fn with_values(condition: &str, config: &Config) -> String {
    let mut out = String::new();
    let mut rest = condition;
    while let Some(start) = rest.find(is_symbol_char) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !is_symbol_char(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        out.push_str(before);
        out.push_str(word);
        if word.starts_with(|c: char| c.is_ascii_uppercase()) {
            out.push_str(&format!(" [{}]", config.get(word)));
        }
        rest = after;
    }
    out + rest
}

fn is_symbol_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn definitions(source: &Path, symbol: &str) -> Vec<Definition> {
    let ours = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        let other_arch = entry.path().parent().is_some_and(|dir| dir == source.join("arch"))
            && entry.file_type().is_dir()
            && name != "x86";
        !other_arch && name != "Documentation" && name != ".git"
    };
    let walk = WalkDir::new(source).sort_by_file_name().into_iter().filter_entry(ours);
    let kconfigs =
        walk.flatten().filter(|e| e.file_name().to_string_lossy().starts_with("Kconfig"));
    let mut found = Vec::new();
    for file in kconfigs {
        let text = fs::read_to_string(file.path()).unwrap_or_default();
        let name = file.path().strip_prefix(source).unwrap_or(file.path()).display().to_string();
        found.extend(in_file(&name, &text, symbol));
    }
    found
}

/// The definitions of `symbol` in one file.
fn in_file(name: &str, text: &str, symbol: &str) -> Vec<Definition> {
    let mut reader = Reader { blocks: Vec::new(), found: Vec::new(), inside: Inside::Other };
    for (line, number) in text.lines().zip(1..) {
        reader.line(line, symbol, || format!("{name}:{number}"));
    }
    reader.found
}

/// What the line being read belongs to.
#[derive(PartialEq)]
enum Inside {
    /// The wanted symbol's definition.
    Wanted,
    /// The head of a menu, whose `depends on` binds all in it.
    Menu,
    Other,
}

struct Reader {
    /// The conditions of each open `if` or `menu`.
    blocks: Vec<Vec<String>>,
    found: Vec<Definition>,
    inside: Inside,
}

impl Reader {
    fn line(&mut self, line: &str, symbol: &str, place: impl Fn() -> String) {
        let code = line.split(" #").next().unwrap_or(line).trim();
        let (word, rest) = code.split_once(char::is_whitespace).unwrap_or((code, ""));
        let rest = rest.trim();
        match word {
            "config" | "menuconfig" if rest == symbol => {
                let conditions = self.blocks.concat();
                self.found.push(Definition { place: place(), conditions, has_prompt: false });
                self.inside = Inside::Wanted;
            }
            "config" | "menuconfig" | "choice" | "source" | "comment" => {
                self.inside = Inside::Other
            }
            "if" => self.open(vec![rest.into()], Inside::Other),
            "menu" => self.open(Vec::new(), Inside::Menu),
            "endif" | "endmenu" => {
                self.blocks.pop();
                self.inside = Inside::Other;
            }
            _ => self.attribute(word, rest),
        }
    }

    fn open(&mut self, conditions: Vec<String>, inside: Inside) {
        self.blocks.push(conditions);
        self.inside = inside;
    }

    fn attribute(&mut self, word: &str, rest: &str) {
        let definition = self.found.last_mut().filter(|_| self.inside == Inside::Wanted);
        let types = ["bool", "tristate", "int", "hex", "string", "prompt"];
        match (word, definition) {
            ("depends", Some(definition)) => definition.conditions.push(condition(rest)),
            ("depends" | "visible", None) if self.inside == Inside::Menu => {
                self.blocks.last_mut().into_iter().for_each(|block| block.push(condition(rest)));
            }
            (_, Some(definition)) if types.contains(&word) => {
                definition.has_prompt |= rest.contains('"')
            }
            _ => {}
        }
    }
}

fn condition(rest: &str) -> String {
    let text = rest.strip_prefix("on ").or_else(|| rest.strip_prefix("if ")).unwrap_or(rest).trim();
    if text.contains("||") { format!("({text})") } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "menu \"Debugging\"\n\tdepends on KERNEL\n\nconfig OTHER\n\tbool \"other\"\n\n\
        if TESTING || MORE\nmenuconfig WANTED\n\ttristate \"wanted\"\n\tdepends on SMP && !UML # why\n\
        \tdepends on A || B\n\thelp\n\t  Some depends on nothing.\n\nconfig HIDDEN\n\tbool\nendif\n\
        config FREE\n\tbool \"free\"\nendmenu\nconfig LAST\n\tbool \"last\"\n";

    fn conditions(symbol: &str) -> Vec<String> {
        in_file("Kconfig", TEXT, symbol).remove(0).conditions
    }

    #[test]
    fn conditions_are_those_of_the_symbol_and_of_what_encloses_it() {
        let wanted = ["KERNEL", "TESTING || MORE", "SMP && !UML", "(A || B)"];
        assert_eq!(conditions("WANTED"), wanted);
        assert_eq!(conditions("FREE"), ["KERNEL"]);
        assert_eq!(conditions("LAST"), Vec::<String>::new());
    }

    #[test]
    fn the_explanation_has_place_and_values() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("lib")).unwrap();
        fs::write(dir.path().join("lib/Kconfig.debug"), TEXT).unwrap();
        let config = Config::parse("CONFIG_SMP=y\nCONFIG_KERNEL=y\n");
        let text = explain(dir.path(), "FREE", &config);
        assert_eq!(text, "it depends on KERNEL [y] (lib/Kconfig.debug:18)");
        let text = explain(dir.path(), "HIDDEN", &config);
        assert!(
            text.starts_with("it cannot be set by hand")
                && text.contains("TESTING [n] || MORE [n]"),
            "{text}"
        );
        assert_eq!(explain(dir.path(), "ABSENT", &config), "this kernel has no such symbol");
    }
}
