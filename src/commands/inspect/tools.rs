//! Starts drgn, crash or gdb on a snapshot.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use inspect::Kernel;
use inspect::dump::elf_build_id;

use crate::error::Failure;
use crate::exit::Exit;

/// A tool that reads vmcores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Drgn,
    Crash,
    Gdb,
}

impl Tool {
    fn program(self) -> &'static str {
        match self {
            Self::Drgn => "drgn",
            Self::Crash => "crash",
            Self::Gdb => "gdb",
        }
    }

    fn arguments(self, kernel: &Kernel, vmlinux: &Path, vmcore: &Path) -> Vec<PathBuf> {
        let mut arguments = match self {
            Self::Drgn => vec!["-c".into(), vmcore.into(), "-s".into(), vmlinux.into()],
            Self::Crash | Self::Gdb => vec![vmlinux.into(), vmcore.into()],
        };
        // crash up to 9.0.2 reads this member when it starts, and ends where it is gone (7.3).
        if self == Self::Crash && kernel.field("module", "num_gpl_syms").is_err() {
            arguments.insert(0, "--no_modules".into());
        }
        arguments
    }

    fn how_to_get(self) -> &'static str {
        match self {
            Self::Drgn => "pip install drgn",
            Self::Crash => "apt install crash",
            Self::Gdb => "apt install gdb",
        }
    }
}

/// Replaces this program by `tool` on the snapshot at `path`. The vmcore is written beside it, unless it is
/// one already.
///
/// # Errors
/// When there is no vmlinux of that very build, the vmcore cannot be written, or the tool is not there.
pub fn start(
    tool: Tool,
    path: &Path,
    kernel: &Kernel,
    vmlinux: Option<&Path>,
) -> Result<Exit, Failure> {
    let vmlinux = find_vmlinux(kernel, vmlinux)?;
    let vmcore = vmcore(path, kernel)?;
    let error = Command::new(tool.program()).args(tool.arguments(kernel, &vmlinux, &vmcore)).exec();
    let reason = match error.kind() {
        io::ErrorKind::NotFound => format!(
            "`{}` is not installed: {}. The vmcore is {}, the vmlinux {}",
            tool.program(),
            tool.how_to_get(),
            vmcore.display(),
            vmlinux.display()
        ),
        _ => format!("cannot start `{}`: {error}", tool.program()),
    };
    Err(Failure::new(Exit::Harness, reason))
}

fn vmcore(path: &Path, kernel: &Kernel) -> Result<PathBuf, Failure> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let vmcore = path.join("vmcore");
    if !vmcore.exists() {
        kernel.export_vmcore(&vmcore).map_err(|error| Failure::new(Exit::Harness, error))?;
    }
    Ok(vmcore)
}

/// The vmlinux of exactly the build that is in the dump: `stated`, else the first of the usual places.
///
/// # Errors
/// When the stated one is of another build, or none is found.
pub fn find_vmlinux(kernel: &Kernel, stated: Option<&Path>) -> Result<PathBuf, Failure> {
    let wanted = kernel.vmcoreinfo().build_id();
    if let Some(path) = stated {
        return match elf_build_id(path).map_err(|error| Failure::new(Exit::Usage, error))? {
            Some(found) if wanted.is_some_and(|wanted| wanted != found) => {
                Err(wrong_build(path, &found, wanted.unwrap_or_default(), kernel.release()))
            }
            _ => Ok(path.to_owned()),
        };
    }
    let fits =
        |path: &PathBuf| wanted.is_some() && elf_build_id(path).ok().flatten().as_deref() == wanted;
    usual_places(kernel.release()).into_iter().find(fits).ok_or_else(|| {
        let reason = format!(
            "no vmlinux with build-id {} was found for Linux {}: give it with `--vmlinux FILE`",
            wanted.unwrap_or("unknown"),
            kernel.release()
        );
        Failure::new(Exit::Usage, reason)
    })
}

fn wrong_build(path: &Path, found: &str, wanted: &str, release: &str) -> Failure {
    let path = path.display();
    let reason = format!(
        "`{path}` is of another build: its build-id is {found}, that of the Linux {release} in the dump \
         is {wanted}"
    );
    Failure::new(Exit::Usage, reason)
}

/// Where distributions and our own cache have the vmlinux of a release.
fn usual_places(release: &str) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = [
        format!("/usr/lib/debug/boot/vmlinux-{release}"),
        format!("/usr/lib/debug/lib/modules/{release}/vmlinux"),
        format!("/lib/modules/{release}/build/vmlinux"),
        format!("/boot/vmlinux-{release}"),
    ]
    .map(PathBuf::from)
    .into();
    if let Ok(cache) = guest_image::kernel::Cache::open() {
        let entries =
            std::fs::read_dir(cache.root().join("kernels")).into_iter().flatten().flatten();
        places.extend(entries.map(|entry| entry.path().join(format!("boot/vmlinux-{release}"))));
    }
    places
}
