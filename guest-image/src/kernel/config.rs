//! Kernel configurations: `.config` files, and what scenarios require of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::compression::gunzip;

/// Largest text that an embedded configuration may expand to, in bytes.
const IKCONFIG_LIMIT: u64 = 16 << 20;

/// What a `.config` says of one symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `=y`
    Yes,
    /// `=m`
    Module,
    /// `=n`, or `# CONFIG_X is not set`
    No,
    /// Anything else after `=`: a number as written, or a string without its quotes.
    Text(String),
}

impl Value {
    fn parse(text: &str) -> Self {
        match text {
            "y" => Self::Yes,
            "m" => Self::Module,
            "n" => Self::No,
            _ => Self::Text(unquote(text)),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "y",
            Self::Module => "m",
            Self::No => "n",
            Self::Text(text) => text,
        })
    }
}

/// A parsed kernel configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    values: BTreeMap<String, Value>,
}

impl Config {
    /// Reads the text of a `.config`. Lines that set nothing are passed over, as Kconfig does; a
    /// symbol set twice has its last value.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { values: text.lines().filter_map(parse_line).collect() }
    }

    /// The configuration that `CONFIG_IKCONFIG` embeds in a kernel: a gzip file between the
    /// markers `IKCFG_ST` and `IKCFG_ED` (kernel/configs.c). `None` when there is none.
    #[must_use]
    pub fn embedded(kernel: &[u8]) -> Option<Self> {
        let start = find(kernel, b"IKCFG_ST")? + 8;
        let rest = kernel.get(start..)?;
        let gzip = rest.get(..find(rest, b"IKCFG_ED")?)?;
        let text = gunzip(gzip, IKCONFIG_LIMIT).ok()?;
        Some(Self::parse(&String::from_utf8_lossy(&text)))
    }

    /// The value of `symbol`, with or without its `CONFIG_`; `No` when the configuration does not
    /// name it.
    #[must_use]
    pub fn get(&self, symbol: &str) -> &Value {
        self.values.get(bare(symbol)).unwrap_or(&Value::No)
    }

    /// Whether `symbol` is `y` or `m`.
    #[must_use]
    pub fn enabled(&self, symbol: &str) -> bool {
        matches!(self.get(symbol), Value::Yes | Value::Module)
    }

    /// The requirements that this configuration does not meet, in the order given.
    pub fn unmet<'a>(&self, requirements: impl IntoIterator<Item = &'a Requirement>) -> Vec<Unmet> {
        requirements
            .into_iter()
            .filter(|requirement| !requirement.met_by(self))
            .map(|requirement| Unmet {
                requirement: requirement.clone(),
                actual: self.get(&requirement.symbol).clone(),
            })
            .collect()
    }

    /// Symbols and values, by symbol, without `CONFIG_`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(symbol, value)| (symbol.as_str(), value))
    }
}

/// What a scenario requires of one symbol: `CONFIG_X` (y or m), `CONFIG_X=y`, `CONFIG_X=m`,
/// `CONFIG_X=n` or `!CONFIG_X`, `CONFIG_X=250`, `CONFIG_X="text"`. `CONFIG_` may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The symbol, without `CONFIG_`.
    pub symbol: String,
    /// The value it must have; `None` is `y` or `m`.
    pub value: Option<Value>,
}

impl Requirement {
    /// Whether `config` meets it.
    #[must_use]
    pub fn met_by(&self, config: &Config) -> bool {
        match &self.value {
            None => config.enabled(&self.symbol),
            Some(value) => config.get(&self.symbol) == value,
        }
    }
}

/// A text that is no [`Requirement`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no kernel configuration requirement; write CONFIG_X, CONFIG_X=y, CONFIG_X=m, !CONFIG_X or CONFIG_X=value"
)]
pub struct RequirementError(String);

impl FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (symbol, value) = match (text.strip_prefix('!'), text.split_once('=')) {
            (Some(symbol), None) => (symbol, Some(Value::No)),
            (None, Some((symbol, value))) => (symbol, Some(Value::parse(value))),
            (None, None) => (text, None),
            (Some(_), Some(_)) => return Err(RequirementError(text.into())),
        };
        let symbol = bare(symbol);
        if !is_symbol(symbol) {
            return Err(RequirementError(text.into()));
        }
        Ok(Self { symbol: symbol.into(), value })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => write!(f, "CONFIG_{}", self.symbol),
            Some(value) => write!(f, "CONFIG_{}={value}", self.symbol),
        }
    }
}

/// A requirement that a configuration does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// What was required.
    pub requirement: Requirement,
    /// What the configuration has.
    pub actual: Value,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (the kernel has {})", self.requirement, self.actual)
    }
}

/// `CONFIG_X=value` and `# CONFIG_X is not set`.
pub(super) fn parse_line(line: &str) -> Option<(String, Value)> {
    let line = line.trim();
    if let Some(comment) = line.strip_prefix('#') {
        let symbol = comment.trim().strip_suffix(" is not set")?.strip_prefix("CONFIG_")?;
        return is_symbol(symbol).then(|| (symbol.into(), Value::No));
    }
    let (symbol, value) = line.split_once('=')?;
    let symbol = symbol.strip_prefix("CONFIG_")?;
    is_symbol(symbol).then(|| (symbol.into(), Value::parse(value)))
}

/// A Kconfig string: in quotes, with `\` before a quote or backslash.
fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return text.into();
    };
    let mut chars = inner.chars();
    let mut out = String::with_capacity(inner.len());
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

fn bare(symbol: &str) -> &str {
    symbol.strip_prefix("CONFIG_").unwrap_or(symbol)
}

fn is_symbol(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Where `needle` first occurs.
pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TEXT: &str = "#\n# Automatically generated\n#\nCONFIG_SMP=y\nCONFIG_KVM=m\n# CONFIG_NUMA is not set\n\
                        CONFIG_HZ=250\nCONFIG_LOCALVERSION=\"-a\\\"b\"\nnonsense\n=\nCONFIG_=y\n";

    fn config() -> Config {
        Config::parse(TEXT)
    }

    #[test]
    fn values_are_read_as_kconfig_writes_them() {
        let config = config();
        assert_eq!(config.get("CONFIG_SMP"), &Value::Yes);
        assert_eq!(config.get("KVM"), &Value::Module);
        assert_eq!(config.get("NUMA"), &Value::No);
        assert_eq!(config.get("ABSENT"), &Value::No);
        assert_eq!(config.get("HZ"), &Value::Text("250".into()));
        assert_eq!(config.get("LOCALVERSION"), &Value::Text("-a\"b".into()));
        assert_eq!(config.iter().count(), 5);
    }

    #[test]
    fn a_symbol_set_twice_has_its_last_value() {
        assert_eq!(Config::parse("CONFIG_A=y\n# CONFIG_A is not set\n").get("A"), &Value::No);
    }

    #[test]
    fn requirements_are_met_or_named_with_the_actual_value() {
        let all = ["SMP", "CONFIG_KVM", "KVM=m", "!NUMA", "ABSENT=n", "HZ=250", "KVM=y", "NUMA"];
        let all: Vec<Requirement> = all.iter().map(|text| text.parse().unwrap()).collect();
        let unmet: Vec<String> = config().unmet(&all).iter().map(ToString::to_string).collect();
        assert_eq!(unmet, ["CONFIG_KVM=y (the kernel has m)", "CONFIG_NUMA (the kernel has n)"]);
    }

    #[test]
    fn malformed_requirements_are_refused() {
        for text in ["", "!", "=y", "CONFIG_", "A B", "!A=y", "CONFIG_É"] {
            assert!(text.parse::<Requirement>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_embedded_configuration_is_found_between_its_markers() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(TEXT.as_bytes()).unwrap();
        let kernel =
            [b"\x7fELF junk IKCFG_ST".as_slice(), &gzip.finish().unwrap(), b"IKCFG_ED junk"]
                .concat();
        assert_eq!(Config::embedded(&kernel), Some(config()));
    }

    #[test]
    fn a_kernel_without_or_with_a_damaged_configuration_has_none() {
        for kernel in [b"".as_slice(), b"IKCFG_ST", b"IKCFG_STxxxxIKCFG_ED", b"IKCFG_EDIKCFG_ST"] {
            assert_eq!(Config::embedded(kernel), None);
        }
    }
}
