//! Configuration fragments: what a profile, and its user, request of Kconfig.

use std::collections::BTreeMap;

use super::super::config::{Value, parse_line};
use super::BuildError;

/// One requested symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub value: Value,
    /// The fragment and line that request it.
    pub origin: String,
    /// The line as Kconfig reads it.
    line: String,
}

/// The settings of several fragments; a later one overrides an earlier one.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    symbols: BTreeMap<String, Setting>,
}

impl Settings {
    /// Adds the fragment `text`, called `name` in messages.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), BuildError> {
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            match parse_line(line) {
                Some((symbol, value)) => {
                    let origin = format!("{name}:{number}");
                    let line = kconfig_line(&symbol, &value, line);
                    self.symbols.insert(symbol, Setting { value, origin, line });
                }
                None if line.is_empty() || line.starts_with('#') => {}
                None => {
                    let (file, text) = (name.into(), line.into());
                    return Err(BuildError::BadFragment { file, line: number, text });
                }
            }
        }
        Ok(())
    }

    /// The symbols and what is requested of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.symbols.iter().map(|(symbol, setting)| (symbol.as_str(), setting))
    }

    /// Whether `symbol` is requested as `y`.
    pub fn wants(&self, symbol: &str) -> bool {
        self.symbols.get(symbol).is_some_and(|setting| setting.value == Value::Yes)
    }

    /// Whether gcc cannot build what is requested: Kconfig's RUST depends on !KASAN || CC_IS_CLANG.
    pub fn needs_clang(&self) -> bool {
        self.wants("RUST") && self.wants("KASAN")
    }

    /// All settings as one fragment, sorted: the same for the same requests, however written.
    pub fn text(&self) -> String {
        self.symbols.values().flat_map(|setting| [setting.line.as_str(), "\n"]).collect()
    }
}

fn kconfig_line(symbol: &str, value: &Value, line: &str) -> String {
    match value {
        Value::No => format!("# CONFIG_{symbol} is not set"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_fragments_override_earlier_ones_and_the_text_is_sorted() {
        let mut settings = Settings::default();
        settings.add("a", "# a comment\nCONFIG_B=y\n\nCONFIG_A=\"x y\"\n").unwrap();
        settings.add("b", "CONFIG_B=n\n").unwrap();
        assert_eq!(settings.text(), "CONFIG_A=\"x y\"\n# CONFIG_B is not set\n");
        let b = settings.iter().find(|(symbol, _)| *symbol == "B").unwrap().1;
        assert_eq!((&b.value, b.origin.as_str()), (&Value::No, "b:1"));
        assert!(!settings.wants("B"));
    }

    #[test]
    fn a_line_that_sets_nothing_is_an_error_with_its_place() {
        let error =
            Settings::default().add("my.config", "CONFIG_A=y\nB=y\n").unwrap_err().to_string();
        assert!(error.starts_with("my.config:2: \"B=y\" sets nothing"), "{error}");
    }
}
