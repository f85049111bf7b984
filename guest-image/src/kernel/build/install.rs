//! From a finished build to the files of a cache entry, laid out as an installed system is:
//! `boot/`, `lib/modules/RELEASE/`, and in its `build/` what modules are built against. Device trees
//! are where Debian's packages have them, in `usr/lib/linux-image-RELEASE/`.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::Arch;
use super::BuildError;
use super::make::{Make, variable};

/// Files in `rust/` that a Rust module's build reads.
const RUST_SUFFIXES: [&str; 2] = [".rmeta", ".so"];

/// Copies the kernel that `make` built into `root`, and returns its release.
pub(super) fn install(make: &Make, root: &Path) -> Result<String, BuildError> {
    let release = release(&make.objects)?;
    install_boot(make, &root.join("boot"), &release)?;
    make.run(&["-s", &variable("INSTALL_MOD_PATH", root), "modules_install"])?;
    let modules = root.join("lib/modules").join(&release);
    install_devel(make, &modules)?;
    if make.arch == Arch::Aarch64 {
        let trees = root.join(format!("usr/lib/linux-image-{release}"));
        make.run(&["-s", &variable("INSTALL_DTBS_PATH", &trees), "dtbs_install"])?;
    }
    Ok(release)
}

fn release(objects: &Path) -> Result<String, BuildError> {
    let path = objects.join("include/config/kernel.release");
    let text = fs::read_to_string(&path).map_err(|e| BuildError::io(&path, e))?;
    Ok(text.trim().to_owned())
}

fn install_boot(make: &Make, boot: &Path, release: &str) -> Result<(), BuildError> {
    fs::create_dir_all(boot).map_err(|e| BuildError::io(boot, e))?;
    let files = [
        (make.arch.boot_image(), "vmlinuz"),
        ("vmlinux", "vmlinux"),
        (".config", "config"),
        ("System.map", "System.map"),
    ];
    for (built, name) in files {
        let from = make.objects.join(built);
        if !from.is_file() {
            return Err(BuildError::Incomplete { what: built, objects: make.objects.clone() });
        }
        copy(&from, &boot.join(format!("{name}-{release}")))?;
    }
    Ok(())
}

/// What `make M=DIR modules` needs: Kbuild's own script collects it for C modules; the compiled
/// Rust crates, and the target description they were compiled for, are added.
fn install_devel(make: &Make, modules: &Path) -> Result<(), BuildError> {
    // modules_install leaves links to the source and the objects, which will not be there.
    for link in ["build", "source"] {
        let link = modules.join(link);
        match fs::remove_file(&link) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(BuildError::io(&link, e));
            }
            _ => {}
        }
    }
    let devel = modules.join("build");
    // Modules are built here, whatever they are for: without this, the script puts programs of the
    // kernel's architecture in the place of those that Kbuild runs.
    let script =
        format!("CC=$(HOSTCC) $(srctree)/scripts/package/install-extmod-build {}", devel.display());
    make.run(&["-s", "run-command", &format!("KBUILD_RUN_COMMAND={script}")])?;
    copy(&make.objects.join(".config"), &devel.join(".config"))?;
    if make.rust.is_some() {
        // Only some architectures describe their target; others have one that rustc knows.
        let target = make.objects.join("scripts/target.json");
        if target.is_file() {
            copy(&target, &devel.join("scripts/target.json"))?;
        }
        copy_rust(&make.objects.join("rust"), &devel.join("rust"))?;
    }
    Ok(())
}

fn copy_rust(from: &Path, to: &Path) -> Result<(), BuildError> {
    let listing = fs::read_dir(from).map_err(|e| BuildError::io(from, e))?;
    for path in listing.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if RUST_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
            copy(&path, &to.join(name))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &PathBuf) -> Result<(), BuildError> {
    let parent = to.parent().unwrap_or(to);
    fs::create_dir_all(parent).map_err(|e| BuildError::io(parent, e))?;
    fs::copy(from, to).map_err(|e| BuildError::io(to, e))?;
    Ok(())
}
