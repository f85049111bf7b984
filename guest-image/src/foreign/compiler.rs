//! A Rust compiler and a linker for another architecture: rustup's, or Debian's unpacked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ForeignError;
use crate::kernel::debian::Apt;
use crate::kernel::toolchain::{in_path, prefixed, rust_tools, version};
use crate::kernel::{Arch, Cache, Progress, program_output};

/// Debian's package with the standard library for Rust programs, for the compiler in `rustc-web`.
const LIBRARY: &str = "libstd-rust-web-dev";

/// What compiles the agent.
pub(super) struct Compiler {
    /// Name of the target, as rustc has it.
    pub target: &'static str,
    linker: String,
    /// The compiler, where it is not the one on `PATH`.
    rustc: Option<PathBuf>,
    /// Where the target's standard library is, when it is not beside the compiler.
    sysroot: Option<PathBuf>,
}

impl Compiler {
    /// The compiler on `PATH` when it knows the target; else Debian's, which is unpacked into
    /// `cache` when it is not there yet.
    pub fn find(arch: Arch, cache: &Cache, progress: &dyn Progress) -> Result<Self, ForeignError> {
        let target = target(arch);
        let missing = |what: String, hint: String| ForeignError::Missing { arch, what, hint };
        if in_path("cargo").is_none() {
            let hint = format!("install Rust with rustup, and `rustup target add {target}`");
            return Err(missing("cargo".into(), hint));
        }
        let linker = prefixed(arch, "gcc");
        if in_path(&linker).is_none() || !has_static_libc(&linker) {
            let name = arch.debian_name();
            let triple = linker.trim_end_matches("-gcc");
            let hint = format!(
                "on Debian: `apt-get install gcc-{} libc6-dev-{name}-cross`",
                triple.replace('_', "-")
            );
            return Err(missing(format!("{linker} with a static C library"), hint));
        }
        let (rustc, sysroot) = match has_library(Path::new("rustc"), target) {
            true => (None, None),
            false => {
                let (rustc, sysroot) = unpacked(arch, target, cache, progress)?;
                (Some(rustc), Some(sysroot))
            }
        };
        Ok(Self { target, linker, rustc, sysroot })
    }

    /// Tells cargo of them.
    pub fn add_to(&self, cargo: &mut Command) {
        let variable = |what: &str| {
            format!("CARGO_TARGET_{}_{what}", self.target.to_uppercase().replace('-', "_"))
        };
        let mut flags = "-C target-feature=+crt-static -C relocation-model=static".to_owned();
        if let Some(sysroot) = &self.sysroot {
            flags.push_str(&format!(" --sysroot={}", sysroot.display()));
        }
        cargo.args(["--target", self.target]);
        cargo.env(variable("RUSTFLAGS"), flags).env(variable("LINKER"), &self.linker);
        if let Some(rustc) = &self.rustc {
            cargo.env("RUSTC", rustc);
        }
    }
}

/// rustc's name for Linux programs on `arch`.
fn target(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "x86_64-unknown-linux-gnu",
        Arch::Aarch64 => "aarch64-unknown-linux-gnu",
    }
}

/// gcc answers with the bare name where it finds no such file.
fn has_static_libc(gcc: &str) -> bool {
    let found = program_output(Command::new(gcc).arg("-print-file-name=libc.a"));
    found.is_ok_and(|path| Path::new(path.trim()).is_file())
}

fn has_library(rustc: &Path, target: &str) -> bool {
    let mut command = Command::new(rustc);
    command.args(["--print", "target-libdir", "--target", target]);
    program_output(&mut command).is_ok_and(|dir| holds_library(Path::new(dir.trim())))
}

fn holds_library(dir: &Path) -> bool {
    let Ok(listing) = fs::read_dir(dir) else { return false };
    let mut names = listing.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.any(|name| name.starts_with("libstd-") && name.ends_with(".rlib"))
}

/// Debian's compiler, and its standard library for `arch`. A library is good for exactly the
/// compiler that made it: the versions of the packages must be the same.
fn unpacked(
    arch: Arch,
    target: &str,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<(PathBuf, PathBuf), ForeignError> {
    let rustc = rust_tools(cache, progress)?.rustc;
    let compiler = version(&rustc)?;
    let number = compiler.split(' ').nth(1).unwrap_or_default().to_owned();
    let name = format!("rust-std-{arch}-{number}");
    let prefix = cache.root().join("toolchain").join(&name);
    let _lock = cache.lock(&name, progress)?;
    if !prefix.is_dir() {
        let apt = Apt::new(cache, arch)?;
        let updated = apt.update(progress);
        let package = apt.field(LIBRARY, "Version")?;
        if !package.as_deref().is_some_and(|version| version.starts_with(&format!("{number}+"))) {
            updated?;
            return Err(ForeignError::Missing {
                arch,
                what: format!("the standard library for {target}"),
                hint: format!(
                    "with rustup: `rustup target add {target}`; Debian's {LIBRARY} is {}, and the \
                     compiler is {compiler}",
                    package.unwrap_or_else(|| "not there".into())
                ),
            });
        }
        let staging = cache.stage()?;
        apt.unpack(&[LIBRARY], staging.path(), progress)?;
        cache.place(staging, "toolchain", &name)?;
    }
    Ok((rustc, prefix.join("usr")))
}
