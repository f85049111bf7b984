//! The compilers for a kernel's modules: those that built the kernel.

use std::path::Path;
use std::process::Command;

use super::ModuleBuildError;
use super::source::{Kind, ModuleSource};
use crate::kernel::toolchain::{
    ClangTools, RustTools, clang_tools, in_path, prefixed, rust_tools, version,
};
use crate::kernel::{Arch, Cache, Kernel, Progress};

/// The compilers for one module.
#[derive(Debug)]
pub(super) struct Compilers {
    /// The architecture of the kernel.
    arch: Arch,
    /// The Rust part, for a Rust module.
    rust: Option<RustTools>,
    /// The clang that builds for kernels built with clang.
    clang: Option<ClangTools>,
    /// What they say of their versions.
    pub identity: String,
}

impl Compilers {
    /// The compilers that build `source` for `kernel`.
    pub fn find(
        source: &ModuleSource,
        kernel: &Kernel,
        devel: &Path,
        cache: &Cache,
        progress: &dyn Progress,
    ) -> Result<Self, ModuleBuildError> {
        let enabled = |symbol| kernel.config.as_ref().is_none_or(|config| config.enabled(symbol));
        let by_clang = kernel.config.as_ref().is_some_and(|config| config.enabled("CC_IS_CLANG"));
        let clang = by_clang.then(|| clang_tools(cache, progress)).transpose()?;
        let rust = match source.kind {
            Kind::Own => None,
            Kind::Rust { .. } if !enabled("RUST") => {
                let (name, release) = (source.name.clone(), kernel.release.clone());
                return Err(ModuleBuildError::NoRust { name, release });
            }
            Kind::Rust { .. } => Some(rust(kernel, devel, cache, progress)?),
        };
        let cc = match &clang {
            Some(clang) => clang.make_variables().join(", "),
            None => version(prefixed(kernel.arch, "gcc"))?,
        };
        let of_rust = rust.as_ref().map_or("", |rust| rust.version.as_str());
        let identity = format!("{cc}, {of_rust}");
        Ok(Self { arch: kernel.arch, rust, clang, identity })
    }

    /// Tells make of them.
    pub fn add_to(&self, make: &mut Command) {
        make.args(self.arch.make_variables());
        if let Some(clang) = &self.clang {
            make.args(clang.make_variables());
        }
        if let Some(rust) = &self.rust {
            let tools =
                [("RUSTC", &rust.rustc), ("RUSTDOC", &rust.rustdoc), ("BINDGEN", &rust.bindgen)];
            for (name, path) in tools {
                make.arg(format!("{name}={}", path.display()));
            }
        }
    }
}

/// The compiler that the kernel's crates were compiled with: metadata of another one cannot be read.
fn rust(
    kernel: &Kernel,
    devel: &Path,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<RustTools, ModuleBuildError> {
    if !devel.join("rust/libkernel.rmeta").is_file() {
        return Err(ModuleBuildError::NoMetadata { devel: devel.into() });
    }
    let config = kernel.config.as_ref();
    let wanted = config.map(|config| config.get("RUSTC_VERSION_TEXT").to_string());
    let wanted = wanted.map(|text| text.trim_matches('"').to_owned());
    let is_it = |found: &str| wanted.as_deref().is_none_or(|wanted| found == wanted);
    let mut found = Vec::new();
    if let Some(tools) = on_path()? {
        let rustc = version(&tools.rustc)?;
        if is_it(&rustc) {
            return Ok(tools);
        }
        found.push(rustc);
    }
    let tools = rust_tools(cache, progress)?;
    let rustc = version(&tools.rustc)?;
    if is_it(&rustc) {
        return Ok(tools);
    }
    found.push(rustc);
    Err(ModuleBuildError::OtherCompiler { kernel: wanted.unwrap_or_default(), found })
}

/// A module needs neither the library's source nor bindgen.
fn on_path() -> Result<Option<RustTools>, ModuleBuildError> {
    let Some(rustc) = in_path("rustc") else { return Ok(None) };
    let version = version(&rustc)?;
    let beside = |name| in_path(name).unwrap_or_else(|| name.into());
    Ok(Some(RustTools { rustdoc: beside("rustdoc"), bindgen: beside("bindgen"), rustc, version }))
}
