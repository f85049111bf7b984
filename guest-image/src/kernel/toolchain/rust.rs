//! A Rust compiler with its library's source, and bindgen.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::debian::Apt;
use super::super::process::{output, run};
use super::super::{Arch, Cache, CacheError, Progress};
use super::ToolchainError;
use super::host::{in_path, version};
use super::packages::rust_packages;
use super::wrapper::write_wrapper;

/// The bindgen that is built when there is none. Kernels state the oldest that they take
/// (scripts/min-tool-version.sh); newer ones may warn.
const BINDGEN: &str = "0.73.2";

/// Room for packages, unpacked compilers and the build of bindgen, in bytes.
const ROOM: u64 = 3 << 30;

/// Where the compiler's library source lies below the sysroot.
const LIBRARY: &str = "lib/rustlib/src/rust/library/core/src/lib.rs";

/// The Rust part of a toolchain for kernels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RustTools {
    /// The compiler.
    pub rustc: PathBuf,
    /// The documentation tool, which also compiles documentation tests.
    pub rustdoc: PathBuf,
    /// bindgen, with its libclang.
    pub bindgen: PathBuf,
    /// What compiler and bindgen say of their versions.
    pub version: String,
}

impl RustTools {
    fn new(rustc: PathBuf, rustdoc: PathBuf, bindgen: PathBuf) -> Result<Self, ToolchainError> {
        let version = format!("{}, {}", version(&rustc)?, version(&bindgen)?);
        Ok(Self { rustc, rustdoc, bindgen, version })
    }

    fn in_prefix(prefix: &Path) -> Result<Self, ToolchainError> {
        let bin = prefix.join("bin");
        Self::new(bin.join("rustc"), bin.join("rustdoc"), bin.join("bindgen"))
    }

    /// The host's own, if it is complete.
    fn of_host() -> Option<Self> {
        let [rustc, rustdoc, bindgen] = ["rustc", "rustdoc", "bindgen"].map(in_path);
        let rustc = rustc.filter(|rustc| has_library_source(rustc))?;
        Self::new(rustc, rustdoc?, bindgen?).ok()
    }
}

fn has_library_source(rustc: &Path) -> bool {
    let sysroot = output(Command::new(rustc).args(["--print", "sysroot"]));
    sysroot.is_ok_and(|sysroot| Path::new(sysroot.trim()).join(LIBRARY).is_file())
}

/// A Rust toolchain for kernels: the host's when it has library source and bindgen, else one in
/// `cache`, which is set up from the distribution's packages when it is not there yet. That
/// downloads 170 MB, builds bindgen, and takes some minutes, once.
///
/// # Errors
/// When there is none and it cannot be set up.
pub fn rust_tools(cache: &Cache, progress: &dyn Progress) -> Result<RustTools, ToolchainError> {
    if let Some(tools) = RustTools::of_host() {
        return Ok(tools);
    }
    let name = format!("rust-bindgen-{BINDGEN}");
    let prefix = cache.directory("toolchain")?.join(&name);
    let _lock = cache.lock(&name, progress)?;
    if !prefix.is_dir() {
        set_up(cache, &name, progress)?;
    }
    RustTools::in_prefix(&prefix)
}

fn set_up(cache: &Cache, name: &str, progress: &dyn Progress) -> Result<(), ToolchainError> {
    cache.expect_room(ROOM)?;
    if in_path("cargo").is_none() {
        return Err(ToolchainError::NoRust {
            reason: "cargo, which builds bindgen, is not on PATH".into(),
        });
    }
    let staging = cache.stage()?;
    unpack_compiler(cache, staging.path(), progress)?;
    progress.stage(&format!("building bindgen {BINDGEN} (some minutes, once)"));
    build_bindgen(cache, staging.path())?;
    write_wrappers(staging.path())?;
    cache.place(staging, "toolchain", name)?;
    Ok(())
}

fn unpack_compiler(
    cache: &Cache,
    prefix: &Path,
    progress: &dyn Progress,
) -> Result<(), ToolchainError> {
    let apt = Apt::new(cache, Arch::X86_64)?;
    let updated = apt.update(progress);
    let Some(packages) = rust_packages(&apt)? else {
        updated?;
        return Err(ToolchainError::NoRust {
            reason: "the host's package sources have no rustc".into(),
        });
    };
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    Ok(apt.unpack(&names, prefix, progress)?)
}

/// The target directory is kept until bindgen is built, so that an interrupted build goes on.
fn build_bindgen(cache: &Cache, prefix: &Path) -> Result<(), ToolchainError> {
    let target = cache.directory("build/bindgen")?;
    let mut command = Command::new("cargo");
    command.args(["install", "--locked", "--quiet", "--version", BINDGEN, "bindgen-cli", "--root"]);
    command.arg(prefix).arg("--target-dir").arg(&target);
    // The flags of whoever builds us are not meant for it.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_BUILD_TARGET").env_remove("RUSTUP_TOOLCHAIN");
    run(&mut command, |_| {})?;
    fs::remove_dir_all(&target).map_err(|e| CacheError::io(&target, e))?;
    Ok(())
}

fn write_wrappers(prefix: &Path) -> Result<(), ToolchainError> {
    let bin = prefix.join("bin");
    let real = bin.join("bindgen.real");
    fs::rename(bin.join("bindgen"), &real).map_err(|e| CacheError::io(&real, e))?;
    for (name, program) in [
        ("rustc", "usr/bin/rustc"),
        ("rustdoc", "usr/bin/rustdoc"),
        ("bindgen", "bin/bindgen.real"),
    ] {
        write_wrapper(prefix, name, program)?;
    }
    Ok(())
}
