//! apt with a state of its own: no root, and nothing of the host's is changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::process::{ProcessError, output, run};
use super::super::{Arch, Cache, CacheError, Progress};
use super::FetchError;

/// apt's options that keep its whole state below one directory.
#[derive(Debug, Clone)]
pub struct Apt {
    state: PathBuf,
    arch: Arch,
    sources: Option<PathBuf>,
}

impl Apt {
    /// apt with its state in `cache`, for packages of architecture `arch`, with the host's sources.
    ///
    /// # Errors
    /// When the directories cannot be made.
    pub fn new(cache: &Cache, arch: Arch) -> Result<Self, CacheError> {
        Self::at(cache.directory(&format!("apt/{}", arch.debian_name()))?, arch, None)
    }

    /// As [`Apt::new`], but with one suite of Debian's archive, named `suite`, as the only source:
    /// for packages that the host's own release does not have. The mirror is the host's.
    ///
    /// # Errors
    /// When the host uses no mirror of Debian's archive, or the directories cannot be made.
    pub fn of_suite(cache: &Cache, arch: Arch, suite: &str) -> Result<Self, FetchError> {
        let mirror = Self::new(cache, arch)?.mirror()?;
        let state = cache.directory(&format!("apt/{suite}-{}", arch.debian_name()))?;
        let parts = cache.directory(&format!("apt/{suite}-{}/sources", arch.debian_name()))?;
        let file = parts.join("debian.sources");
        let text = format!(
            "Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: main\n\
             Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        );
        fs::write(&file, text).map_err(|e| CacheError::io(&file, e))?;
        Ok(Self::at(state, arch, Some(parts))?)
    }

    /// The mirror of Debian's main archive among the host's sources.
    fn mirror(&self) -> Result<String, FetchError> {
        let uris = output(self.command("apt-get").args(["update", "--print-uris"]))?;
        let archives =
            uris.lines().filter_map(|line| line.trim_start_matches('\'').split_once("/dists/"));
        let main = archives.map(|(archive, _)| archive).find(|uri| uri.ends_with("/debian"));
        main.map(str::to_owned).ok_or(FetchError::NoMirror)
    }

    fn at(state: PathBuf, arch: Arch, sources: Option<PathBuf>) -> Result<Self, CacheError> {
        for dir in ["lists/partial", "cache/archives/partial"] {
            let dir = state.join(dir);
            fs::create_dir_all(&dir).map_err(|e| CacheError::io(&dir, e))?;
        }
        // An empty status file: what the host has installed must not matter.
        let status = state.join("status");
        fs::write(&status, "").map_err(|e| CacheError::io(&status, e))?;
        Ok(Self { state, arch, sources })
    }

    /// Gets the lists of packages.
    ///
    /// # Errors
    /// When apt is missing, the mirrors cannot be reached, or the disk is full.
    pub fn update(&self, progress: &dyn Progress) -> Result<(), FetchError> {
        progress.stage("getting the lists of packages");
        // Without this, apt takes a mirror that cannot be reached for a mere warning.
        let mut command = self.command("apt-get");
        command.args(["-q", "-o", "APT::Update::Error-Mode=any", "update"]);
        Ok(run(&mut command, |_| {})?)
    }

    /// The value of `field` in the newest version of `package`; `None` when there is no such
    /// package or field.
    ///
    /// # Errors
    /// When apt is missing or fails.
    pub fn field(&self, package: &str, field: &str) -> Result<Option<String>, FetchError> {
        let text = output(self.command("apt-cache").args(["--no-all-versions", "show", package]));
        match text {
            Ok(text) => Ok(field_of(&text, field).map(Into::into)),
            // apt-cache fails when it knows no such package.
            Err(ProcessError::Failed { .. }) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Names of the packages whose name matches the regular expression `pattern`.
    ///
    /// # Errors
    /// When apt is missing or fails.
    pub fn names(&self, pattern: &str) -> Result<Vec<String>, FetchError> {
        let text = output(self.command("apt-cache").args(["search", "--names-only", pattern]))?;
        Ok(text.lines().filter_map(|line| line.split(' ').next()).map(Into::into).collect())
    }

    /// Downloads `packages` into `dir`, which apt checks against the signed lists.
    ///
    /// # Errors
    /// When apt is missing, a mirror cannot be reached, or the disk is full.
    pub fn download(
        &self,
        packages: &[&str],
        dir: &Path,
        progress: &dyn Progress,
    ) -> Result<(), FetchError> {
        progress.stage(&format!("downloading {}", packages.join(" ")));
        let mut command = self.command("apt-get");
        command.args(["-q", "-o", "APT::Status-Fd=1", "download"]).args(packages).current_dir(dir);
        run(&mut command, |line| {
            if let Some(percent) = percent(line) {
                progress.tick(percent, 100);
            }
        })?;
        Ok(())
    }

    /// Downloads `packages` and unpacks them all into `dir`; the downloads are removed.
    ///
    /// # Errors
    /// As [`Apt::download`].
    pub fn unpack(
        &self,
        packages: &[&str],
        dir: &Path,
        progress: &dyn Progress,
    ) -> Result<(), FetchError> {
        self.download(packages, dir, progress)?;
        progress.stage(&format!("unpacking {}", packages.join(" ")));
        let io = |e| CacheError::io(dir, e);
        for entry in fs::read_dir(dir).map_err(io)? {
            let deb = entry.map_err(io)?.path();
            if deb.extension().is_some_and(|extension| extension == "deb") {
                run(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(dir), |_| {})?;
                fs::remove_file(&deb).map_err(io)?;
            }
        }
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (option, path) in [
            ("Dir::State::lists", "lists"),
            ("Dir::Cache", "cache"),
            ("Dir::State::status", "status"),
        ] {
            command.arg("-o").arg(format!("{option}={}", self.state.join(path).display()));
        }
        if let Some(parts) = &self.sources {
            command.args(["-o", "Dir::Etc::sourcelist=/dev/null"]);
            command.arg("-o").arg(format!("Dir::Etc::sourceparts={}", parts.display()));
        }
        let arch = self.arch.debian_name();
        command.arg("-o").arg(format!("APT::Architecture={arch}"));
        command.arg("-o").arg(format!("APT::Architectures={arch}"));
        // As root, apt downloads as the user _apt, who cannot write into root's cache.
        command.args(["-o", "APT::Sandbox::User=root"]);
        // A host's hooks belong to its own installations.
        command.args([
            "-o",
            "APT::Update::Post-Invoke-Success::=true",
            "-o",
            "Acquire::Languages=none",
        ]);
        command
    }
}

/// The value of `field` in the first paragraph of a control file (deb822(5)), without continuation
/// lines.
fn field_of<'a>(control: &'a str, field: &str) -> Option<&'a str> {
    let paragraph = control.split("\n\n").next()?;
    paragraph.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).map(str::trim)
}

/// Percent done in a line of apt's status stream: `dlstatus:1:44.3214:Retrieving file 1 of 1`
/// (apt's README.progress-reporting).
fn percent(line: &str) -> Option<u64> {
    let number = line.strip_prefix("dlstatus:")?.split(':').nth(1)?;
    number.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_of_the_first_paragraph() {
        let control = "Package: a\nVersion: 1.0-1\nDescription: x\n y\n\nPackage: b\nDepends: c\n";
        assert_eq!(field_of(control, "Version"), Some("1.0-1"));
        assert_eq!(field_of(control, "Depends"), None);
    }

    #[test]
    fn progress_is_read_from_the_status_stream() {
        assert_eq!(percent("dlstatus:1:44.3214:Retrieving file 1 of 1"), Some(44));
        assert_eq!(percent("Get:1 http://mirror.example/debian"), None);
        assert_eq!(percent("dlstatus:1"), None);
    }
}
