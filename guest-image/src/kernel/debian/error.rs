//! Why a package could not be fetched.

use super::super::CacheError;
use super::super::process::ProcessError;

/// Why a package could not be fetched from the distribution.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A program of Debian's package management is missing.
    #[error(
        "{program} is not there: fetching Debian's kernel needs a Debian-like system with apt and dpkg; \
         elsewhere give a kernel with -k (a build tree, a bzImage, a vmlinux, or `host`)"
    )]
    NoTool {
        /// The program.
        program: String,
    },

    /// A package that no configured source has.
    #[error(
        "no configured package source has {package:?}; check /etc/apt/sources.list.d \
         (Debian's `main` is enough), or give a kernel with -k"
    )]
    NoPackage {
        /// The package.
        package: String,
    },

    /// The host's sources name no mirror of Debian's archive.
    #[error(
        "no mirror of Debian's archive in /etc/apt/sources.list.d; add one, or give a tarball or a \
         source tree with --source"
    )]
    NoMirror,

    /// The mirrors cannot be reached.
    #[error(
        "cannot reach the package mirror: {detail}; check the network and the proxy settings, and try again"
    )]
    NoNetwork {
        /// What apt said.
        detail: String,
    },

    /// The file system is full.
    #[error(
        "no space left in the cache; free some (`kharness kernel list` shows what it holds), or set KHARNESS_CACHE to another disk"
    )]
    DiskFull,

    /// A program failed in any other way.
    #[error(transparent)]
    Failed(ProcessError),

    /// A package that holds no kernel.
    #[error(
        "the package {package} holds no {what}; this is a fault of the package, or a kind of package not known here"
    )]
    BadPackage {
        /// The package.
        package: String,
        /// What was looked for.
        what: String,
    },

    /// The cache is unusable.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Tells the failures that people can do something about by what apt and dpkg say of them.
impl From<ProcessError> for FetchError {
    fn from(error: ProcessError) -> Self {
        match error {
            ProcessError::Missing { program } => Self::NoTool { program },
            ProcessError::Failed { ref stderr, .. } => {
                known_failure(stderr).unwrap_or(Self::Failed(error))
            }
            ProcessError::Run { .. } => Self::Failed(error),
        }
    }
}

fn known_failure(stderr: &str) -> Option<FetchError> {
    const NO_NETWORK: [&str; 6] = [
        "Temporary failure resolving",
        "Could not resolve",
        "Could not connect",
        "Cannot initiate the connection",
        "Unable to connect",
        "Connection timed out",
    ];
    if stderr.contains("No space left on device") {
        return Some(FetchError::DiskFull);
    }
    let unreachable = |line: &&str| NO_NETWORK.iter().any(|text| line.contains(text));
    stderr
        .lines()
        .find(unreachable)
        .map(|line| FetchError::NoNetwork { detail: line.trim().into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(stderr: &str) -> FetchError {
        let (command, status) = ("apt-get update".into(), "exit status: 100".into());
        ProcessError::Failed { command, status, stderr: stderr.into() }.into()
    }

    #[test]
    fn failures_are_told_apart_by_what_apt_and_dpkg_say() {
        let network = failed("E: x\nErr: Temporary failure resolving 'mirror.example'");
        assert!(matches!(network, FetchError::NoNetwork { .. }), "{network}");
        let full = failed("dpkg-deb: error: No space left on device");
        assert!(matches!(full, FetchError::DiskFull), "{full}");
        assert!(matches!(failed("E: strange"), FetchError::Failed(_)));
        let missing: FetchError = ProcessError::Missing { program: "apt-get".into() }.into();
        assert!(matches!(&missing, FetchError::NoTool { program } if program == "apt-get"));
    }
}
