//! What a guest needs to run guests of its own.

use std::path::{Path, PathBuf};

use guest_image::image::{GuestFile, Source};
use guest_image::kernel::{self, Arch, Cache, Config, Kernel, ModuleFile};

use vmm::Model;

use super::image::{BuildError, DISKS, boot_modules, drivers};

/// Name by which a scenario asks for this very program.
pub const OWN_NAME: &str = "kharness";

/// Where the guest finds this program by its name.
const OWN_PATH: &str = "/usr/bin/kharness";

/// This program, for the guest.
pub fn own_program() -> GuestFile {
    // The link leads to the program also when its file has been replaced meanwhile.
    let source = Source::Program("/proc/self/exe".into());
    GuestFile { path: OWN_PATH.into(), mode: None, source }
}

/// The kernel `name` as if it were installed below `to`: image, configuration, and the modules without
/// which its guest cannot answer or has no disks.
///
/// # Errors
/// When there is no such kernel, or one of those modules is missing.
pub fn kernel_files(name: &str, to: &str) -> Result<Vec<GuestFile>, BuildError> {
    let cache = Cache::open()?;
    let kernel = kernel::resolve(name, Arch::X86_64, &cache)?;
    let release = &kernel.release;
    let mut files = vec![host_file(format!("{to}/boot/vmlinuz-{release}"), &kernel.image)];
    if let Some(vmlinux) = &kernel.vmlinux {
        files.push(host_file(format!("{to}/boot/vmlinux-{release}"), vmlinux));
    }
    if let Some(config) = &kernel.config {
        let source = Source::Bytes(config_text(config).into_bytes());
        files.push(GuestFile { path: format!("{to}/boot/config-{release}"), mode: None, source });
    }
    files.extend(module_files(&kernel, &format!("{to}/lib/modules/{release}"))?);
    Ok(files)
}

/// A configuration in the form of a `.config` file.
fn config_text(config: &Config) -> String {
    config.iter().map(|(symbol, value)| format!("CONFIG_{symbol}={value}\n")).collect()
}

/// At least the list of what is built in, so that the directory is there.
fn module_files(kernel: &Kernel, to: &str) -> Result<Vec<GuestFile>, BuildError> {
    let Some(tree) = &kernel.modules else { return Ok(Vec::new()) };
    let builtin = tree.root().join("modules.builtin");
    let mut files = Vec::new();
    if builtin.is_file() {
        files.push(host_file(format!("{to}/modules.builtin"), &builtin));
    }
    for path in boot_modules(kernel, &[drivers(Model::Pc), &[DISKS]].concat())? {
        let module = ModuleFile::at(&path)?;
        let contents = Source::Bytes(module.read()?);
        let path = format!("{to}/kernel/{}.ko", module.name);
        files.push(GuestFile { path, mode: None, source: contents });
    }
    Ok(files)
}

fn host_file(path: String, host: &Path) -> GuestFile {
    GuestFile { path, mode: None, source: Source::Host(PathBuf::from(host)) }
}
