//! What every part of a run does, wherever it runs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use guest_image::kernel::Kernel;

use super::bundle::{BundleError, Files};

/// What is to be run in parts.
pub struct Wanted<'a> {
    /// How many parts.
    pub parts: u32,
    /// Directory that all machines see.
    pub dir: &'a Path,
    /// Scenario files and directories.
    pub scenarios: &'a [PathBuf],
    /// The kernel, unless scenarios name their own.
    pub kernel: Option<&'a Kernel>,
    /// More arguments of `kharness run`.
    pub arguments: &'a [String],
}

/// A run in parts, with everything that it needs in a directory that all machines see.
pub struct Plan {
    /// How many parts.
    pub parts: u32,
    /// The directory.
    pub dir: PathBuf,
    /// The command, in the directory.
    pub program: PathBuf,
    /// The words behind it: `run` and its arguments, but for the place of results.
    pub words: Vec<String>,
}

impl Plan {
    /// Bundles what is wanted.
    ///
    /// # Errors
    /// When something cannot be read, or the directory cannot be written.
    pub fn make(wanted: &Wanted) -> Result<Self, BundleError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |error| BundleError::new(&path, error)
        };
        for name in ["objects", "parts", "log"] {
            fs::create_dir_all(wanted.dir.join(name)).map_err(io(wanted.dir))?;
        }
        let dir = fs::canonicalize(wanted.dir).map_err(io(wanted.dir))?;
        let store = dir.join("objects");
        let myself = env::current_exe().map_err(io(Path::new("kharness")))?;
        let program = file(&myself, &store)?;
        let mut words = vec!["run".to_owned()];
        for path in wanted.scenarios {
            words.push(scenario(path, &store)?.display().to_string());
        }
        if let Some(kernel) = wanted.kernel {
            let kernel = kernel_files(kernel, &store)?;
            words.extend(["--kernel".to_owned(), kernel.display().to_string()]);
        }
        words.extend(wanted.arguments.iter().cloned());
        Ok(Self { parts: wanted.parts, dir, program, words })
    }
}

fn file(path: &Path, store: &Path) -> Result<PathBuf, BundleError> {
    let object = Files::one(path).store(store)?;
    Ok(object.join(path.file_name().unwrap_or_default()))
}

/// A scenario brings everything that it may refer to: the directory that it is in.
fn scenario(path: &Path, store: &Path) -> Result<PathBuf, BundleError> {
    let path = fs::canonicalize(path).map_err(|error| BundleError::new(path, error))?;
    let named = path.ancestors().find(|above| above.ends_with("scenarios"));
    let given = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
    let root = named.or(given).unwrap_or(&path);
    // The name of the root is a part of it: test ids count from a directory called `scenarios`.
    let above = root.parent().unwrap_or(root);
    let name = root.strip_prefix(above).unwrap_or(root).to_owned();
    let object = Files::below(above, |file| file.starts_with(&name))?.store(store)?;
    Ok(object.join(path.strip_prefix(above).unwrap_or(&path)))
}

/// A kernel with its configuration and modules, laid out as it was found. Gives its image.
fn kernel_files(kernel: &Kernel, store: &Path) -> Result<PathBuf, BundleError> {
    let image = &kernel.image;
    let release = &kernel.release;
    let (root, files) = if let Some(root) = installed_root(image) {
        let modules = Path::new("lib/modules").join(release);
        let of_boot = |file: &Path| {
            file.starts_with("boot") && file.to_string_lossy().ends_with(release.as_str())
        };
        // Only these two directories: the root may be that of the host.
        let boot = Files::below(&root, |file| of_boot(file) || file.starts_with(&modules))?;
        (root, boot)
    } else if let Some(root) = build_tree(image) {
        let wanted = |file: &Path| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            root.join(file) == *image
                || ["vmlinux", ".config", "System.map", "include/config/kernel.release"]
                    .iter()
                    .any(|known| file == Path::new(known))
                || name.starts_with("modules.")
                || name.ends_with(".ko")
        };
        (root.clone(), Files::below(&root, wanted)?)
    } else {
        return file(image, store);
    };
    let object = files.store(store)?;
    Ok(object.join(image.strip_prefix(&root).unwrap_or(image)))
}

/// Above `boot/vmlinuz-RELEASE`, where that is not the host's own root.
fn installed_root(image: &Path) -> Option<PathBuf> {
    let boot = image.parent()?;
    let root = boot.parent()?;
    (boot.ends_with("boot") && root.join("lib/modules").is_dir() && root != Path::new("/"))
        .then(|| root.to_owned())
}

/// Above `arch/ARCH/boot/IMAGE`.
fn build_tree(image: &Path) -> Option<PathBuf> {
    let root = image.ancestors().nth(4)?;
    root.join(".config").is_file().then(|| root.to_owned())
}
