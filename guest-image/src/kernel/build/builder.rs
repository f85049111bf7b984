//! The order of a build.

use std::fs;
use std::path::PathBuf;
use std::thread::available_parallelism;

use sha2::{Digest, Sha256};

use super::super::cache::{Entry, Origin, now};
use super::super::hash::hex;
use super::super::toolchain::{
    ClangTools, HostTools, RustTools, clang_tools, host_tools, rust_tools,
};
use super::super::{Arch, Cache, Progress};
use super::configure::configure;
use super::fragment::Settings;
use super::install::install;
use super::make::Make;
use super::source::{Source, Tree};
use super::steps::Steps;
use super::{BuildError, Profile, layout};

/// Raised when what is kept of a build changes: older entries are then built anew.
const FORMAT: u32 = 1;

/// Room for the objects of a kernel with debug information, and what is kept of it, in bytes.
const ROOM: u64 = 3 << 30;

/// What to build.
#[derive(Debug, Clone)]
pub struct Request {
    /// The profile.
    pub profile: Profile,
    /// The architecture.
    pub arch: Arch,
    /// The source.
    pub source: Source,
    /// More fragments, which override the profile's.
    pub fragments: Vec<PathBuf>,
    /// A whole configuration to start from, in place of `allnoconfig`.
    pub base: Option<PathBuf>,
    /// Jobs at the same time; `None` is one for each CPU.
    pub jobs: Option<usize>,
}

/// Builds the kernel, unless `cache` has it from the same source, configuration and compilers.
///
/// A build that is interrupted goes on where it stopped when it is asked for again.
///
/// # Errors
/// When a compiler is missing, a requested symbol cannot be had, the kernel does not compile, or
/// Rust and C disagree on a structure. The message says what to do.
pub fn build(
    cache: &Cache,
    request: &Request,
    progress: &dyn Progress,
) -> Result<Entry, BuildError> {
    let settings = settings(request)?;
    let base = request.base.as_ref().map(read).transpose()?;
    let tree = request.source.prepare(cache, progress)?;
    let tools = Tools::find(&settings, request.arch, cache, progress)?;
    let text = base.clone().unwrap_or_default() + &settings.text();
    let name =
        format!("{}-{}", request.profile.name, key(&[&tree.identity, &text, &tools.identity()]));
    // One build of a profile at a time: two of the same tree would share their objects.
    let _lock = cache.lock(&format!("build-{}", request.profile.name), progress)?;
    if let Some(entry) = cache.find(&name, request.arch)? {
        return Ok(entry);
    }
    cache.expect_room(ROOM)?;
    let job = Job { cache, request, settings, base, tree, tools, name };
    job.run(progress)
}

fn settings(request: &Request) -> Result<Settings, BuildError> {
    let mut settings = request.profile.settings(request.arch)?;
    for path in &request.fragments {
        settings.add(&path.display().to_string(), &read(path)?)?;
    }
    Ok(settings)
}

fn read(path: &PathBuf) -> Result<String, BuildError> {
    fs::read_to_string(path)
        .map_err(|source| BuildError::UnreadableConfig { path: path.clone(), source })
}

/// Twelve hexadecimal digits of the hash of `parts`.
fn key(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(FORMAT.to_le_bytes());
    for part in parts {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize())[..12].to_owned()
}

struct Tools {
    host: HostTools,
    rust: Option<RustTools>,
    clang: Option<ClangTools>,
}

impl Tools {
    fn find(
        settings: &Settings,
        arch: Arch,
        cache: &Cache,
        progress: &dyn Progress,
    ) -> Result<Self, BuildError> {
        let host = host_tools(arch, settings.wants("DEBUG_INFO_BTF"))?;
        let rust = settings.wants("RUST").then(|| rust_tools(cache, progress)).transpose()?;
        let clang = settings.needs_clang().then(|| clang_tools(cache, progress)).transpose()?;
        Ok(Self { host, rust, clang })
    }

    fn identity(&self) -> String {
        let rust = self.rust.as_ref().map(|rust| rust.version.as_str());
        let clang = self.clang.as_ref().map(|clang| clang.version.as_str());
        let host = &self.host;
        let all = [Some(host.cc.as_str()), Some(&host.ld), host.pahole.as_deref(), rust, clang];
        all.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

struct Job<'a> {
    cache: &'a Cache,
    request: &'a Request,
    settings: Settings,
    base: Option<String>,
    tree: Tree,
    tools: Tools,
    name: String,
}

impl Job<'_> {
    fn run(self, progress: &dyn Progress) -> Result<Entry, BuildError> {
        let make = self.make()?;
        progress.stage("configuring");
        configure(&make, &self.settings, self.base.as_deref())?;
        progress.stage(&format!("building {} from {}", self.request.profile.name, self.tree.label));
        let profile = &self.request.profile;
        let steps = Steps::of(self.cache, &self.known_as(), profile.steps, &make.objects)?;
        let done = make.run_steps(targets(make.arch), &steps, progress)?;
        steps.record(done);
        if make.rust.is_some() {
            progress.stage("checking that Rust and C agree on every structure");
            layout::check(&make.objects)?;
        }
        progress.stage("installing into the cache");
        let entry = self.install(&make)?;
        if !self.request.source.keeps_objects() {
            fs::remove_dir_all(&make.objects).map_err(|e| BuildError::io(&make.objects, e))?;
        }
        Ok(entry)
    }

    /// The name of the profile, and of the architecture where it is not the usual one.
    fn known_as(&self) -> String {
        let profile = self.request.profile.name;
        match self.request.arch {
            Arch::X86_64 => profile.to_owned(),
            arch => format!("{profile}-{arch}"),
        }
    }

    /// Objects of a source that does not change are known by all that goes into them; those of a
    /// tree that its owner works on by where it is, for make to bring up to date.
    fn make(&self) -> Result<Make, BuildError> {
        let name = match &self.request.source {
            Source::Tree(dir) => {
                format!("{}-{}", self.known_as(), key(&[&dir.to_string_lossy()]))
            }
            _ => self.name.clone(),
        };
        Ok(Make {
            source: self.tree.dir.clone(),
            objects: self.cache.directory(&format!("build/{name}"))?,
            arch: self.request.arch,
            rust: self.tools.rust.clone(),
            clang: self.tools.clang.clone(),
            jobs: self
                .request
                .jobs
                .unwrap_or_else(|| available_parallelism().map_or(1, Into::into)),
        })
    }

    fn install(&self, make: &Make) -> Result<Entry, BuildError> {
        let staging = self.cache.stage()?;
        let release = install(make, staging.path())?;
        let entry = Entry {
            name: self.name.clone(),
            alias: self.request.profile.name.into(),
            release,
            arch: self.request.arch,
            origin: Origin::Build {
                profile: self.request.profile.name.into(),
                source: self.tree.label.clone(),
                toolchain: self.tools.identity(),
            },
            created: now(),
            size: 0,
            dir: PathBuf::new(),
        };
        Ok(self.cache.commit(staging, entry)?)
    }
}

/// What make is to make. `modules` makes Module.symvers, even when there are none.
fn targets(arch: Arch) -> &'static [&'static str] {
    match arch {
        Arch::X86_64 => &["bzImage", "modules_prepare", "modules"],
        Arch::Aarch64 => &["Image", "dtbs", "modules_prepare", "modules"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_depends_on_each_part_and_on_where_one_ends() {
        assert_eq!(key(&["a", "b"]).len(), 12);
        assert_ne!(key(&["a", "b"]), key(&["b", "a"]));
        assert_ne!(key(&["ab", ""]), key(&["a", "b"]));
    }
}
