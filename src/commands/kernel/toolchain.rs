//! `kharness kernel toolchain`: the compilers that build kernels and modules, and emulators.

use std::io::{self, Write};

use guest_image::kernel::Arch;
use guest_image::kernel::Cache;
use guest_image::kernel::toolchain::{host_tools, qemu_tools, rust_tools};

use super::failure;
use super::progress::Stages;
use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;

/// Arguments of `kharness kernel toolchain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Unpack a QEMU for Arm guests from Debian's backports instead, where the host's is too old
    #[arg(long)]
    qemu: bool,
}

/// Sets up what is missing, and says what there is.
///
/// # Errors
/// When something is missing that cannot be set up.
pub fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let cache = Cache::open().map_err(|e| failure::of_cache(&e))?;
    if args.qemu {
        return qemu(&cache, global);
    }
    let host = host_tools(Arch::X86_64, true).map_err(|e| failure::of_toolchain(&e))?;
    let stages = Stages::new(global.quiet);
    let rust = rust_tools(&cache, &stages);
    drop(stages);
    let rust = rust.map_err(|e| failure::of_toolchain(&e))?;
    let mut out = io::stdout().lock();
    writeln!(out, "C        {}; {}", host.cc, host.ld)?;
    writeln!(out, "Rust     {}", rust.version)?;
    writeln!(out, "rustc    {}", rust.rustc.display())?;
    writeln!(out, "bindgen  {}", rust.bindgen.display())?;
    Ok(Exit::Good)
}

fn qemu(cache: &Cache, global: &Global) -> Result<Exit, Failure> {
    let stages = Stages::new(global.quiet);
    let program = qemu_tools(cache, &stages);
    drop(stages);
    let program = program.map_err(|e| failure::of_toolchain(&e))?;
    writeln!(io::stdout(), "QEMU     {}", program.display())?;
    Ok(Exit::Good)
}
