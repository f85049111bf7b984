//! The configuration of a kernel, or a configuration without a kernel.

use std::fs;
use std::path::Path;

use guest_image::kernel::{Arch, Cache, Config, Kernel, KernelError, resolve};

use crate::commands::kernel::failure;
use crate::error::Failure;
use crate::exit::Exit;

/// A configuration file is a few hundred kilobytes.
const MOST_BYTES: u64 = 4 << 20;

/// A configuration and whose it is.
pub struct Configured {
    /// The kernel's release, or what the configuration says in its head.
    pub kernel: String,
    /// The configuration.
    pub config: Config,
}

/// The configuration of the kernel `name`, of any architecture, or the configuration file of that path.
///
/// # Errors
/// When there is no such kernel, or its configuration is not known.
pub fn configured(name: &str) -> Result<Configured, Failure> {
    if let Some(text) = config_file(Path::new(name)) {
        return Ok(Configured { kernel: head(&text, name), config: Config::parse(&text) });
    }
    let cache = Cache::open().map_err(|e| failure::of_cache(&e))?;
    let kernel = of_any_arch(name, &cache).map_err(|e| failure::of_kernel(&e))?;
    let release = kernel.release;
    let config = kernel.config.ok_or_else(|| {
        let why = format!(
            "the configuration of `{name}` is not known: name its build tree or its configuration file, or build it with CONFIG_IKCONFIG"
        );
        Failure::new(Exit::Usage, why)
    })?;
    Ok(Configured { kernel: format!("{release} ({})", kernel.arch), config })
}

/// The error is that of the first architecture.
fn of_any_arch(name: &str, cache: &Cache) -> Result<Kernel, KernelError> {
    resolve(name, Arch::X86_64, cache)
        .or_else(|first| resolve(name, Arch::Aarch64, cache).map_err(|_| first))
}

/// The text of the file at `path`, if it is a configuration.
fn config_file(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let states = |line: &str| line.starts_with("CONFIG_") || line.starts_with("# CONFIG_");
    text.lines().any(states).then_some(text)
}

/// `Linux/arm64 6.1.0 Kernel Configuration` (`scripts/kconfig/confdata.c: conf_write`), without the last words.
fn head(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix("# Linux/"));
    let line = line.and_then(|line| line.strip_suffix(" Kernel Configuration"));
    line.map_or_else(|| name.to_owned(), |line| format!("Linux/{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_configuration_says_what_it_is_for() {
        let text = "#\n# Automatically generated file; DO NOT EDIT.\n# Linux/arm64 6.1.192 Kernel Configuration\n#\n";
        assert_eq!(head(text, "x"), "Linux/arm64 6.1.192");
        assert_eq!(head("CONFIG_A=y\n", "some.config"), "some.config");
    }
}
