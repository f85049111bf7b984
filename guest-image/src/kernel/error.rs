//! Why a kernel could not be had.

use std::io;
use std::path::{Path, PathBuf};

use super::{Arch, CacheError, ModuleError};

/// Why `-k` did not lead to a kernel. Each message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// Neither a known name nor a file.
    #[error("no kernel {spec:?}: there is no such file, and the kernels known by name are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        spec: String,
        /// The names that would have been understood.
        known: Vec<String>,
    },

    /// A path that does not exist.
    #[error("{}: no such file or directory; give a kernel build tree, a bzImage or a vmlinux", path.display())]
    NotFound {
        /// The missing path.
        path: PathBuf,
    },

    /// A kernel that has a name, but was not fetched or built yet.
    #[error("the kernel {name:?} is not in the cache yet; get it with `kharness kernel {command}`")]
    NotCached {
        /// The kernel's name.
        name: String,
        /// The rest of the command that gets it.
        command: String,
    },

    /// A file that cannot be opened or read.
    #[error("cannot read {}: {source}{}", path.display(), hint(source))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// A file that is no kernel image.
    #[error(
        "{} is not a kernel image: at offset {offset:#x} expected {expected}, found {found}; \
         give a bzImage, a vmlinux, or the top of a kernel build tree",
        path.display()
    )]
    NotAKernel {
        /// The file.
        path: PathBuf,
        /// Where the first wrong bytes are.
        offset: u64,
        /// What a kernel has there.
        expected: &'static str,
        /// What the file has there, or seems to be.
        found: String,
    },

    /// A kernel image whose header or payload is damaged or cut short.
    #[error("{} is damaged at offset {offset:#x}: {what}; build or fetch it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damage shows.
        offset: u64,
        /// What is wrong there.
        what: String,
    },

    /// A kernel for another architecture than the one wanted.
    #[error("{} is a kernel for {found}, but this run needs one for {wanted}; set the machine's arch, or give another kernel", path.display())]
    WrongArch {
        /// The image.
        path: PathBuf,
        /// What it is built for.
        found: String,
        /// What was wanted.
        wanted: Arch,
    },

    /// A directory that is no kernel tree at all.
    #[error("{} is a directory, but no kernel build tree: it has neither {} nor vmlinux", path.display(), image.display())]
    NotABuildTree {
        /// The directory.
        path: PathBuf,
        /// Where the image of a build tree would be, relative to it.
        image: PathBuf,
    },

    /// A kernel source tree in which nothing has been built.
    #[error(
        "{} is a kernel source tree, but it holds no built kernel; run `make` in it (or give its O= directory), \
         or build it with `kharness kernel build PROFILE --source {}`",
        path.display(),
        path.display()
    )]
    NotBuilt {
        /// The directory.
        path: PathBuf,
    },

    /// A build tree whose image is older than the vmlinux beside it.
    #[error(
        "{} is older than {}: the build is unfinished; run `make` again, or give the vmlinux itself",
        image.display(),
        vmlinux.display()
    )]
    UnfinishedBuild {
        /// The boot image.
        image: PathBuf,
        /// The newer vmlinux.
        vmlinux: PathBuf,
    },

    /// The kernel that the host runs is not installed on it, as in a container.
    #[error(
        "the host runs {release}, but {} is not there (this is usual in containers and small virtual machines); \
         use `kharness kernel fetch debian`, or give a path",
        path.display()
    )]
    NoHostKernel {
        /// `uname -r`.
        release: String,
        /// Where its image would be.
        path: PathBuf,
    },

    /// The module tree beside the kernel is unusable.
    #[error(transparent)]
    Modules(#[from] ModuleError),

    /// The cache is unusable.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl KernelError {
    /// The error for a failed open or read of `path`.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::NotFound {
            return Self::NotFound { path: path.into() };
        }
        Self::Unreadable { path: path.into(), source }
    }

    /// The error for damage in `path`.
    pub(super) fn damaged(path: &Path, offset: u64, what: impl ToString) -> Self {
        Self::Damaged { path: path.into(), offset, what: what.to_string() }
    }
}

/// Some distributions install kernels that only root may read.
fn hint(source: &io::Error) -> &'static str {
    if source.kind() == io::ErrorKind::PermissionDenied {
        "; copy it with root's help to where you may read it, or use `kharness kernel fetch debian`"
    } else {
        ""
    }
}
