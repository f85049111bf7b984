//! What the Kconfig files say of symbols that were not honoured.
//!
//! Only what helps a person: where a symbol is defined, and the conditions written there and around
//! it: `if` blocks and menus, in its own file and around the `source` lines that include it. The
//! language is that of the kernel's Documentation/kbuild/kconfig-language.rst.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use walkdir::{DirEntry, WalkDir};

use super::super::config::Config;

/// How deep files may include each other; the kernel's are four deep.
const MAX_DEPTH: usize = 16;

/// All Kconfig files of a source, as far as x86 reads them.
#[derive(Debug, Default)]
pub(super) struct Kconfig {
    definitions: BTreeMap<String, Vec<Definition>>,
    /// The file that includes a file, and the conditions around the `source` line.
    included: BTreeMap<String, (String, Vec<String>)>,
}

/// Where a symbol is defined, and under which conditions.
#[derive(Debug)]
struct Definition {
    file: String,
    line: usize,
    conditions: Vec<String>,
    /// Whether a person or a fragment can set it.
    has_prompt: bool,
}

impl Kconfig {
    /// Reads the Kconfig files of the source tree at `source`.
    pub fn read(source: &Path) -> Self {
        let mut all = Self::default();
        let walk =
            WalkDir::new(source).into_iter().filter_entry(|entry| concerns_x86(source, entry));
        for file in walk.flatten().filter(is_kconfig) {
            let text = fs::read_to_string(file.path()).unwrap_or_default();
            let name = file.path().strip_prefix(source).unwrap_or(file.path());
            Reader::new(&mut all, &name.display().to_string()).read(&text);
        }
        all
    }

    /// Why `symbol` has not the value it was given, as far as the files tell.
    pub fn explain(&self, symbol: &str, config: &Config) -> String {
        let Some(definitions) = self.definitions.get(symbol) else {
            return "this kernel has no such symbol".into();
        };
        definitions.iter().map(|d| self.describe(d, config)).collect::<Vec<_>>().join("; or ")
    }

    fn describe(&self, definition: &Definition, config: &Config) -> String {
        let Definition { file, line, conditions, has_prompt } = definition;
        let prompt = if *has_prompt { "" } else { "it cannot be set by hand, others select it; " };
        let all = [self.around(file), conditions.clone()].concat();
        if all.is_empty() {
            return format!("{prompt}it is defined without conditions ({file}:{line})");
        }
        let all: Vec<String> = all.iter().map(|text| with_values(text, config)).collect();
        format!("{prompt}it depends on {} ({file}:{line})", all.join(" && "))
    }

    /// The conditions under which `file` is included.
    fn around(&self, file: &str) -> Vec<String> {
        let mut all = Vec::new();
        let mut file = file;
        for _ in 0..MAX_DEPTH {
            let Some((by, conditions)) = self.included.get(file) else { break };
            all.splice(0..0, conditions.clone());
            file = by;
        }
        all
    }
}

fn is_kconfig(entry: &DirEntry) -> bool {
    entry.file_type().is_file() && entry.file_name().to_string_lossy().starts_with("Kconfig")
}

fn concerns_x86(source: &Path, entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let is_arch = entry.file_type().is_dir() && entry.path().parent() == Some(&source.join("arch"));
    name != "Documentation" && name != ".git" && (!is_arch || name == "x86")
}

/// Puts each symbol's value behind it: `SMP && !UML` becomes `SMP [y] && !UML [n]`.
fn with_values(condition: &str, config: &Config) -> String {
    let mut out = String::new();
    for word in condition.split_inclusive(|c| !is_symbol_char(c)) {
        let symbol = word.trim_end_matches(|c| !is_symbol_char(c));
        out.push_str(symbol);
        if symbol.starts_with(|c: char| c.is_ascii_uppercase()) {
            out.push_str(&format!(" [{}]", config.get(symbol)));
        }
        out.push_str(&word[symbol.len()..]);
    }
    out
}

fn is_symbol_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What the line being read belongs to.
#[derive(Debug, PartialEq)]
enum Inside {
    /// The definition of this symbol.
    Symbol(String),
    /// The head of a menu, whose `depends on` binds all in it.
    Menu,
    /// A help text: indented as its first line, once that has been read.
    Help(Option<usize>),
    Other,
}

/// Reads one file.
struct Reader<'a> {
    all: &'a mut Kconfig,
    file: &'a str,
    /// The conditions of each open `if` or `menu`.
    blocks: Vec<Vec<String>>,
    inside: Inside,
}

impl<'a> Reader<'a> {
    fn new(all: &'a mut Kconfig, file: &'a str) -> Self {
        Self { all, file, blocks: Vec::new(), inside: Inside::Other }
    }

    fn read(mut self, text: &str) {
        for (line, number) in text.lines().zip(1..) {
            if !self.is_help(line) {
                self.line(line, number);
            }
        }
    }

    /// A help text ends with the first line that is indented less than its first.
    fn is_help(&mut self, line: &str) -> bool {
        let Inside::Help(first) = &mut self.inside else { return false };
        let help = line.trim().is_empty() || indent(line) >= *first.get_or_insert(indent(line));
        if !help {
            self.inside = Inside::Other;
        }
        help
    }

    fn line(&mut self, line: &str, number: usize) {
        let code = line.split(" #").next().unwrap_or(line).trim();
        let (word, rest) = code.split_once(char::is_whitespace).unwrap_or((code, ""));
        let rest = rest.trim();
        match word {
            "config" | "menuconfig" => self.define(rest, number),
            "source" => self.include(rest),
            "choice" | "comment" => self.inside = Inside::Other,
            "help" => self.inside = Inside::Help(None),
            "if" => self.open(vec![condition(rest)], Inside::Other),
            "menu" => self.open(Vec::new(), Inside::Menu),
            "endif" | "endmenu" => {
                self.blocks.pop();
                self.inside = Inside::Other;
            }
            _ => self.attribute(word, rest),
        }
    }

    fn define(&mut self, symbol: &str, line: usize) {
        let definition = Definition {
            file: self.file.into(),
            line,
            conditions: self.blocks.concat(),
            has_prompt: false,
        };
        self.all.definitions.entry(symbol.into()).or_default().push(definition);
        self.inside = Inside::Symbol(symbol.into());
    }

    fn include(&mut self, name: &str) {
        let name = name.trim_matches('"').replace("$(SRCARCH)", "x86");
        self.all.included.insert(name, (self.file.into(), self.blocks.concat()));
        self.inside = Inside::Other;
    }

    fn open(&mut self, conditions: Vec<String>, inside: Inside) {
        self.blocks.push(conditions);
        self.inside = inside;
    }

    fn attribute(&mut self, word: &str, rest: &str) {
        match (&self.inside, word) {
            (Inside::Menu, "depends" | "visible") => {
                self.blocks.last_mut().into_iter().for_each(|block| block.push(condition(rest)));
            }
            (Inside::Symbol(symbol), _) => {
                let definition =
                    self.all.definitions.get_mut(symbol).and_then(|all| all.last_mut());
                definition.into_iter().for_each(|definition| definition.add(word, rest));
            }
            _ => {}
        }
    }
}

impl Definition {
    fn add(&mut self, word: &str, rest: &str) {
        match word {
            "depends" => self.conditions.push(condition(rest)),
            "bool" | "tristate" | "int" | "hex" | "string" | "prompt" => {
                self.has_prompt |= rest.starts_with(['"', '\'']);
            }
            _ => {}
        }
    }
}

/// Columns before the text; a tab goes to the next multiple of eight.
fn indent(line: &str) -> usize {
    let space = line.chars().take_while(|c| c.is_whitespace());
    space.fold(0, |column, c| if c == '\t' { (column / 8 + 1) * 8 } else { column + 1 })
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
        \tdepends on A || B\n\thelp\n\tif you want it,\n\n\t  menu of nothing.\n\nconfig HIDDEN\n\tbool\n\
        endif\nconfig FREE\n\tbool \"free\"\nendmenu\nconfig LAST\n\tbool \"last\"\n";

    fn kconfig() -> Kconfig {
        let mut all = Kconfig::default();
        Reader::new(&mut all, "Kconfig").read("if EXPERT\nsource \"lib/Kconfig.debug\"\nendif\n");
        Reader::new(&mut all, "lib/Kconfig.debug").read(TEXT);
        all
    }

    fn conditions(symbol: &str) -> Vec<String> {
        kconfig().definitions[symbol][0].conditions.clone()
    }

    #[test]
    fn conditions_are_those_of_the_symbol_and_of_what_encloses_it() {
        assert_eq!(
            conditions("WANTED"),
            ["KERNEL", "(TESTING || MORE)", "SMP && !UML", "(A || B)"]
        );
        assert_eq!(conditions("FREE"), ["KERNEL"]);
        assert_eq!(conditions("LAST"), Vec::<String>::new());
    }

    #[test]
    fn the_explanation_has_the_place_the_values_and_the_conditions_of_the_including_file() {
        let config = Config::parse("CONFIG_EXPERT=y\nCONFIG_KERNEL=y\n");
        let explain = |symbol| kconfig().explain(symbol, &config);
        assert_eq!(
            explain("FREE"),
            "it depends on EXPERT [y] && KERNEL [y] (lib/Kconfig.debug:20)"
        );
        assert!(explain("HIDDEN").starts_with("it cannot be set by hand"), "{}", explain("HIDDEN"));
        assert!(explain("WANTED").contains("SMP [n] && !UML [n]"), "{}", explain("WANTED"));
        assert_eq!(explain("ABSENT"), "this kernel has no such symbol");
    }

    #[test]
    fn files_that_include_each_other_in_a_circle_end() {
        let mut all = Kconfig::default();
        Reader::new(&mut all, "a").read("if A\nsource \"b\"\nendif\nconfig X\n\tbool \"x\"\n");
        Reader::new(&mut all, "b").read("source \"a\"\n");
        assert!(all.explain("X", &Config::default()).contains("A [n]"));
    }
}
