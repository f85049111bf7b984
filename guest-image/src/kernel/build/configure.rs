//! From requests to a `.config`, and whether they were honoured.

use std::fs;
use std::path::Path;

use super::super::Config;
use super::BuildError;
use super::error::Unhonoured;
use super::fragment::{Setting, Settings};
use super::kconfig::Kconfig;
use super::make::Make;

/// The merged fragments, in the output directory.
const MERGED: &str = "kharness.config";

/// Writes the `.config` of `make`'s output directory: `settings` over `base`, or over
/// `allnoconfig`. One that is there from the same request is kept, so that an interrupted build
/// goes on where it stopped.
pub(super) fn configure(
    make: &Make,
    settings: &Settings,
    base: Option<&str>,
) -> Result<Config, BuildError> {
    let merged = make.objects.join(MERGED);
    let target = make.objects.join(".config");
    let text = base.unwrap_or_default().to_owned() + &settings.text();
    if !target.exists() || fs::read_to_string(&merged).ok().as_deref() != Some(text.as_str()) {
        write(&merged, &text)?;
        generate(make, &merged, &target, base.is_some())?;
    }
    let text = fs::read_to_string(&target).map_err(|e| BuildError::io(&target, e))?;
    let config = Config::parse(&text);
    expect_honoured(&make.source, settings, &config).inspect_err(|_| {
        // The next attempt must not take it for good.
        let _ = fs::remove_file(&target);
    })?;
    Ok(config)
}

/// `allnoconfig` takes the values of the file that `KCONFIG_ALLCONFIG` names, and drops silently
/// what has an unmet dependency or does not exist.
fn generate(make: &Make, merged: &Path, target: &Path, over_base: bool) -> Result<(), BuildError> {
    let goal = if over_base {
        fs::copy(merged, target).map_err(|e| BuildError::io(target, e))?;
        "olddefconfig".to_owned()
    } else {
        "allnoconfig".to_owned()
    };
    let all = format!("KCONFIG_ALLCONFIG={}", merged.display());
    make.run(&["-s", &all, &goal])?;
    Ok(())
}

fn expect_honoured(source: &Path, settings: &Settings, config: &Config) -> Result<(), BuildError> {
    let honoured = |(symbol, setting): &(&str, &Setting)| config.get(symbol) == &setting.value;
    let mut dropped = settings.iter().filter(|request| !honoured(request)).peekable();
    if dropped.peek().is_none() {
        return Ok(());
    }
    let kconfig = Kconfig::read(source);
    let symbols = dropped.map(|(symbol, setting)| Unhonoured {
        symbol: symbol.into(),
        requested: setting.value.clone(),
        actual: config.get(symbol).clone(),
        origin: setting.origin.clone(),
        why: kconfig.explain(symbol, config),
    });
    Err(BuildError::Unhonoured { symbols: symbols.collect() })
}

fn write(path: &Path, text: &str) -> Result<(), BuildError> {
    fs::write(path, text).map_err(|e| BuildError::io(path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_symbol_that_was_dropped_is_named_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("Kconfig"), "config A\n\tbool \"a\"\n\tdepends on B\n").unwrap();
        let mut settings = Settings::default();
        settings.add("my.config", "CONFIG_A=y\nCONFIG_C=n\nCONFIG_D=y\n").unwrap();
        let config = Config::parse("CONFIG_D=y\n");
        let error = expect_honoured(dir.path(), &settings, &config).unwrap_err().to_string();
        let line = "  my.config:1: CONFIG_A=y became n: it depends on B [n] (Kconfig:1)";
        assert_eq!(error.lines().skip(1).collect::<Vec<_>>(), [line]);
    }
}
