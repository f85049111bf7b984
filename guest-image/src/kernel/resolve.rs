//! From what `-k` says to a kernel.

use std::fs;
use std::path::{Path, PathBuf};

use super::build::{PROFILES, Profile};
use super::image::{Image, identify, unpacked};
use super::modules::ModuleTree;
use super::{Arch, Cache, Config, KernelError};

/// Where a build tree keeps its vmlinux.
const VMLINUX: &str = "vmlinux";

/// A kernel to boot, and what belongs to it.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// What a boot loader loads: a bzImage, an arm64 Image, or the vmlinux itself when only that
    /// was named.
    pub image: PathBuf,
    /// The same kernel as an ELF file with a PVH entry point, which a machine can boot without
    /// decompressing it; unpacked from `image` when there is no other.
    pub vmlinux: Option<PathBuf>,
    /// An ELF file of this kernel with symbols (a build tree's has DWARF and BTF too, if configured).
    pub symbols: Option<PathBuf>,
    /// The release, as `uname -r` prints it.
    pub release: String,
    /// The architecture.
    pub arch: Arch,
    /// Its modules, when they were found.
    pub modules: Option<ModuleTree>,
    /// What modules are built against: the build tree, or a package's `lib/modules/RELEASE/build`.
    pub devel: Option<PathBuf>,
    /// Its configuration, when it was found.
    pub config: Option<Config>,
    /// Directory of its device trees, when they were found: `VENDOR/BOARD.dtb`.
    pub device_trees: Option<PathBuf>,
    /// How it was named: the text given to [`resolve`].
    pub source: String,
}

/// The kernel that `spec` names, for the architecture `arch`:
///
/// - `host`: the kernel that this machine runs;
/// - the name or alias of a kernel in `cache`, such as `debian`;
/// - the path of a build tree, a bzImage, an arm64 Image, or a vmlinux.
///
/// A text with a `/` in it is always a path.
///
/// # Errors
/// When nothing of this name is there, or it is no kernel, or one for another architecture. The
/// message says what to do.
pub fn resolve(spec: &str, arch: Arch, cache: &Cache) -> Result<Kernel, KernelError> {
    let finder = Finder { spec, arch, cache };
    if spec.contains('/') {
        return finder.path(Path::new(spec));
    }
    if spec == "host" {
        return finder.host();
    }
    match cache.find(spec, arch)? {
        Some(entry) => finder.file(&entry.image()),
        None if Path::new(spec).exists() => finder.path(Path::new(spec)),
        None => Err(finder.unknown()?),
    }
}

struct Finder<'a> {
    spec: &'a str,
    arch: Arch,
    cache: &'a Cache,
}

impl Finder<'_> {
    fn host(&self) -> Result<Kernel, KernelError> {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let boot = PathBuf::from(format!("/boot/vmlinuz-{release}"));
        // Fedora and Arch keep a copy beside the modules.
        let beside = PathBuf::from(format!("/lib/modules/{release}/vmlinuz"));
        if boot.exists() {
            return self.file(&boot);
        }
        if beside.exists() {
            return self.file(&beside);
        }
        Err(KernelError::NoHostKernel { release, path: boot })
    }

    fn unknown(&self) -> Result<KernelError, KernelError> {
        let command = match self.spec {
            "debian" => Some("fetch debian".to_owned()),
            name => Profile::named(name).map(|profile| format!("build {}", profile.name)),
        };
        if let Some(mut command) = command {
            if Arch::host() != Some(self.arch) {
                command.push_str(&format!(" --arch {}", self.arch));
            }
            return Ok(KernelError::NotCached { name: self.spec.into(), command });
        }
        let mut known = vec!["host".to_owned(), "debian".to_owned()];
        known.extend(PROFILES.map(|profile| profile.name.to_owned()));
        for entry in self.cache.entries()? {
            known.extend([entry.alias, entry.name]);
        }
        known[1..].sort();
        known.dedup();
        Ok(KernelError::Unknown { spec: self.spec.into(), known })
    }

    fn path(&self, path: &Path) -> Result<Kernel, KernelError> {
        let metadata = fs::metadata(path).map_err(|e| KernelError::io(path, e))?;
        // The harness may change its working directory, and the repro line must work from any.
        let path = fs::canonicalize(path).map_err(|e| KernelError::io(path, e))?;
        if metadata.is_dir() { self.tree(&path) } else { self.file(&path) }
    }

    fn tree(&self, tree: &Path) -> Result<Kernel, KernelError> {
        let image = tree.join(self.arch.boot_image());
        let vmlinux = tree.join(VMLINUX);
        match (image.exists(), vmlinux.exists()) {
            (true, true) if modified(&image)? < modified(&vmlinux)? => {
                Err(KernelError::UnfinishedBuild { image, vmlinux })
            }
            (true, _) => self.file(&image),
            (false, true) => self.file(&vmlinux),
            (false, false) if tree.join("Kconfig").exists() => {
                Err(KernelError::NotBuilt { path: tree.into() })
            }
            (false, false) => Err(KernelError::NotABuildTree {
                path: tree.into(),
                image: self.arch.boot_image().into(),
            }),
        }
    }

    fn file(&self, path: &Path) -> Result<Kernel, KernelError> {
        let image = identify(path, self.arch)?;
        let release = image.release().to_owned();
        let vicinity = Vicinity::of(path, &release);
        let elf = self.bootable_elf(path, &image, &vicinity)?;
        Ok(Kernel {
            image: path.into(),
            symbols: vicinity.symbols(path, &image),
            config: vicinity.config(&elf),
            modules: vicinity.modules()?,
            devel: vicinity.devel(),
            device_trees: vicinity.device_trees(),
            vmlinux: elf.pvh,
            release,
            arch: self.arch,
            source: self.spec.into(),
        })
    }

    /// The ELF form of the kernel, unpacked from a bzImage if need be.
    fn bootable_elf(
        &self,
        path: &Path,
        image: &Image,
        vicinity: &Vicinity,
    ) -> Result<Elf, KernelError> {
        let vmlinux = match image {
            Image::Elf(_) => path.to_path_buf(),
            Image::Arm64(_) => return Ok(Elf::default()),
            Image::BzImage(bzimage) => match vicinity.vmlinux() {
                Some(vmlinux) => vmlinux,
                None => unpacked(path, bzimage, self.cache)?,
            },
        };
        let Image::Elf(elf) = identify(&vmlinux, self.arch)? else {
            return Err(KernelError::damaged(path, 0, "what is compressed in it is no ELF file"));
        };
        Ok(Elf { pvh: elf.pvh_entry.map(|_| vmlinux), config: elf.config })
    }
}

/// What the ELF form of a kernel gives.
#[derive(Default)]
struct Elf {
    pvh: Option<PathBuf>,
    config: Option<Config>,
}

/// What lies around a kernel image: a build tree (`TREE/arch/x86/boot/bzImage`, `TREE/vmlinux`), or
/// an installed system (`ROOT/boot/vmlinuz-RELEASE`, with `ROOT/lib/modules/RELEASE`), be it the
/// host's or a package unpacked elsewhere.
struct Vicinity {
    tree: Option<PathBuf>,
    root: PathBuf,
    release: String,
}

impl Vicinity {
    fn of(image: &Path, release: &str) -> Self {
        let tree =
            image.ancestors().skip(1).find(|dir| tree_release(dir).as_deref() == Some(release));
        let beside = image.parent().filter(|dir| dir.ends_with("boot")).and_then(Path::parent);
        let root = beside.filter(|root| root.join("lib/modules").join(release).is_dir());
        Self {
            tree: tree.map(Into::into),
            root: root.unwrap_or(Path::new("/")).into(),
            release: release.into(),
        }
    }

    fn installed(&self, prefix: &str) -> PathBuf {
        self.root.join(format!("{prefix}{}", self.release))
    }

    /// The build tree's own, or one installed beside the image.
    fn vmlinux(&self) -> Option<PathBuf> {
        let tree = self.tree.as_ref().map(|tree| tree.join(VMLINUX));
        let installed = self.installed("boot/vmlinux-");
        tree.into_iter().chain([installed]).find(|path| path.is_file())
    }

    fn symbols(&self, path: &Path, image: &Image) -> Option<PathBuf> {
        let own = matches!(image, Image::Elf(elf) if elf.has_symbols).then(|| path.to_path_buf());
        let debug = self.installed("usr/lib/debug/boot/vmlinux-");
        own.or_else(|| self.vmlinux()).or_else(|| debug.is_file().then_some(debug))
    }

    /// The embedded configuration is surely this kernel's own; then those beside it.
    fn config(&self, elf: &Elf) -> Option<Config> {
        let read = |path: PathBuf| fs::read_to_string(path).ok().map(|text| Config::parse(&text));
        let in_tree = || self.tree.as_ref().and_then(|tree| read(tree.join(".config")));
        elf.config
            .clone()
            .or_else(in_tree)
            .or_else(|| read(self.installed("boot/config-")))
            .or_else(|| read(self.installed("lib/modules/").join("config")))
    }

    fn devel(&self) -> Option<PathBuf> {
        let installed = self.installed("lib/modules/").join("build");
        self.tree.clone().or_else(|| installed.join("Makefile").is_file().then_some(installed))
    }

    /// A build tree's own, or where Debian's packages and `make dtbs_install` put them.
    fn device_trees(&self) -> Option<PathBuf> {
        let built = self.tree.as_ref().map(|tree| tree.join("arch/arm64/boot/dts"));
        let installed = ["usr/lib/linux-image-", "boot/dtbs/"].map(|place| self.installed(place));
        built.into_iter().chain(installed).find(|dir| dir.is_dir())
    }

    fn modules(&self) -> Result<Option<ModuleTree>, KernelError> {
        let installed = self.installed("lib/modules/");
        let root = self.tree.clone().or_else(|| installed.is_dir().then_some(installed));
        Ok(root.map(ModuleTree::open).transpose()?)
    }
}

/// The release that a build tree was last built as.
fn tree_release(dir: &Path) -> Option<String> {
    let text = fs::read_to_string(dir.join("include/config/kernel.release")).ok()?;
    Some(text.trim_end().into())
}

fn modified(path: &Path) -> Result<std::time::SystemTime, KernelError> {
    fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .map_err(|e| KernelError::io(path, e))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn error(spec: &Path) -> KernelError {
        error_for(Arch::X86_64, spec)
    }

    fn error_for(arch: Arch, spec: &Path) -> KernelError {
        let cache = tempfile::tempdir().unwrap();
        resolve(&spec.to_string_lossy(), arch, &Cache::at(cache.path())).unwrap_err()
    }

    #[test]
    fn each_thing_that_is_no_kernel_has_its_own_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        assert!(matches!(error(&path.join("absent")), KernelError::NotFound { .. }));
        assert!(matches!(error(path), KernelError::NotABuildTree { .. }));
        fs::write(path.join("Kconfig"), "").unwrap();
        assert!(matches!(error(path), KernelError::NotBuilt { .. }));
        fs::write(path.join("text"), "hello").unwrap();
        assert!(matches!(error(&path.join("text")), KernelError::NotAKernel { .. }));
    }

    #[test]
    fn a_build_tree_whose_image_is_older_than_its_vmlinux_is_unfinished() {
        let dir = tempfile::tempdir().unwrap();
        let boot = dir.path().join("arch/x86/boot");
        fs::create_dir_all(&boot).unwrap();
        fs::write(dir.path().join("vmlinux"), "").unwrap();
        let image = fs::File::create(boot.join("bzImage")).unwrap();
        image.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        assert!(matches!(error(dir.path()), KernelError::UnfinishedBuild { .. }));
    }

    #[test]
    fn an_unknown_name_lists_those_that_are_known() {
        let error = error(Path::new("debain")).to_string();
        assert!(
            error.contains("\"debain\"") && error.contains("host, debian, debug, fast"),
            "{error}"
        );
    }

    #[test]
    fn the_debian_kernel_that_is_not_there_yet_says_how_to_get_it() {
        let error = error(Path::new("debian")).to_string();
        assert!(error.contains("kharness kernel fetch debian"), "{error}");
        let foreign = error_for(Arch::Aarch64, Path::new("debug")).to_string();
        assert!(foreign.contains("kharness kernel build debug --arch aarch64"), "{foreign}");
    }

    #[test]
    fn a_build_tree_is_known_by_its_release_file() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("include/config");
        fs::create_dir_all(&config).unwrap();
        fs::write(config.join("kernel.release"), "6.1.0-x\n").unwrap();
        let image = dir.path().join("arch/x86/boot/bzImage");
        assert_eq!(Vicinity::of(&image, "6.1.0-x").tree.as_deref(), Some(dir.path()));
        assert_eq!(Vicinity::of(&image, "6.1.0-y").tree, None);
    }
}
