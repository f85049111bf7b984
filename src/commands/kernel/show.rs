//! `kharness kernel show`: what is known of one kernel.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use guest_image::kernel::cache::Entry;
use guest_image::kernel::{Arch, Cache, Kernel, resolve};
use serde::Serialize;

use super::arch::ArchName;
use super::failure;
use super::list::from;
use crate::error::Failure;
use crate::exit::Exit;

/// Arguments of `kharness kernel show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A build tree, a bzImage, a vmlinux, `host`, or a cached kernel's name
    kernel: String,
    /// For which architecture
    #[arg(long, value_name = "ARCH", default_value = "x86_64")]
    arch: ArchName,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is shown.
#[derive(Serialize)]
struct View<'a> {
    release: &'a str,
    arch: Arch,
    image: &'a Path,
    /// The ELF file that boots without decompression.
    vmlinux: Option<&'a Path>,
    symbols: Option<&'a Path>,
    modules: Option<Modules<'a>>,
    /// Symbols set to y or m, when the configuration is known.
    config_enabled: Option<usize>,
    cached: Option<Entry>,
}

#[derive(Serialize)]
struct Modules<'a> {
    root: &'a Path,
    count: usize,
}

impl<'a> View<'a> {
    fn of(kernel: &'a Kernel, cached: Option<Entry>) -> Self {
        let config = kernel.config.as_ref();
        Self {
            release: &kernel.release,
            arch: kernel.arch,
            image: &kernel.image,
            vmlinux: kernel.vmlinux.as_deref(),
            symbols: kernel.symbols.as_deref(),
            modules: kernel
                .modules
                .as_ref()
                .map(|tree| Modules { root: tree.root(), count: tree.names().count() }),
            config_enabled: config
                .map(|config| config.iter().filter(|(symbol, _)| config.enabled(symbol)).count()),
            cached,
        }
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let path = |path: Option<&Path>| {
            path.map_or_else(|| "none".to_owned(), |path| path.display().to_string())
        };
        let modules = self.modules.as_ref();
        let mut lines = vec![
            ("release", self.release.to_owned()),
            ("arch", self.arch.to_string()),
            ("image", path(Some(self.image))),
            ("vmlinux", path(self.vmlinux)),
            ("symbols", path(self.symbols)),
            ("modules", modules.map_or_else(|| "none".into(), ToString::to_string)),
            ("config", self.config_enabled.map_or_else(|| "unknown".into(), enabled)),
        ];
        lines.extend(self.cached.as_ref().map(|entry| ("from", from(&entry.origin))));
        lines
    }
}

impl fmt::Display for Modules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.count, self.root.display())
    }
}

fn enabled(count: usize) -> String {
    format!("{count} symbols enabled")
}

/// Shows the kernel.
///
/// # Errors
/// When there is none of this name.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let cache = Cache::open().map_err(|e| failure::of_cache(&e))?;
    let kernel =
        resolve(&args.kernel, args.arch.into(), &cache).map_err(|e| failure::of_kernel(&e))?;
    let cached = cache.find(&args.kernel, kernel.arch).map_err(|e| failure::of_cache(&e))?;
    let view = View::of(&kernel, cached);
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&view).map_err(io::Error::from)?)?;
        return Ok(Exit::Good);
    }
    for (name, value) in view.lines() {
        writeln!(out, "{name:8} {value}")?;
    }
    Ok(Exit::Good)
}
