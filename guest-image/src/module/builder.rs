//! The order of a module's build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::compilers::Compilers;
use super::source::{Kind, ModuleSource};
use super::{ModuleBuildError, identity, kbuild, output, support};
use crate::kernel::build::FOREIGN;
use crate::kernel::{Cache, Kernel, ModuleFile, Progress};

/// Where built modules are in the cache.
const PLACE: &str = "modules";

/// A built module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Its name.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Whether it was built just now; otherwise it was in the cache.
    pub fresh: bool,
    /// Whether it takes the parameters of the support crate.
    pub is_suite: bool,
    /// Warnings of the compilers, as they said them; only when it is fresh.
    pub warnings: String,
}

/// Builds the module `source` for `kernel`, unless `cache` has it from the same source, kernel and
/// compilers.
///
/// # Errors
/// When it does not compile, or there is nothing to compile it against or with. The compilers' own
/// words are in [`ModuleBuildError::output`].
pub fn build(
    source: &ModuleSource,
    kernel: &Kernel,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<Built, ModuleBuildError> {
    let devel = kernel
        .devel
        .as_ref()
        .ok_or_else(|| ModuleBuildError::NoDevel { release: kernel.release.clone() })?;
    let compilers = Compilers::find(source, kernel, devel, cache, progress)?;
    let name = format!("{}-{}", source.name, identity::key(source, kernel, devel, &compilers)?);
    let dir = cache.root().join(PLACE).join(&name);
    let _lock = cache.lock(&format!("module-{}", source.name), progress)?;
    if let Some(built) = finished(source, &dir) {
        return Ok(built);
    }
    progress.stage(&format!("building module {} for {}", source.name, kernel.release));
    let staging = cache.stage()?;
    let job = Job { source, devel, compilers, dir: staging.path() };
    let warnings = job.run(cache)?;
    cache.place(staging, PLACE, &name)?;
    let built = finished(source, &dir).ok_or_else(|| job_lost(&dir))?;
    Ok(Built { fresh: true, warnings, ..built })
}

fn job_lost(dir: &Path) -> ModuleBuildError {
    ModuleBuildError::io(dir, std::io::ErrorKind::NotFound.into())
}

fn finished(source: &ModuleSource, dir: &Path) -> Option<Built> {
    let file = dir.join(format!("{}.ko", source.name));
    // A module that cannot be read is built anew.
    let info = ModuleFile::at(&file).ok()?.info().ok()?;
    let is_suite = info.is_suite;
    Some(Built { name: source.name.clone(), file, fresh: false, is_suite, warnings: String::new() })
}

struct Job<'a> {
    source: &'a ModuleSource,
    devel: &'a Path,
    compilers: Compilers,
    dir: &'a Path,
}

impl Job<'_> {
    /// Leaves nothing but modules in the directory; gives the compilers' warnings.
    fn run(&self, cache: &Cache) -> Result<String, ModuleBuildError> {
        let work = self.dir.join("work");
        self.lay_out(&work, &support::directory(cache)?)?;
        let said = self.make(&work)?;
        let found = self.keep_modules(&work)?;
        fs::remove_dir_all(&work).map_err(|e| ModuleBuildError::io(&work, e))?;
        let name = &self.source.name;
        if !found.contains(name) {
            let (dir, name) = (self.source.dir.clone(), name.clone());
            return Err(ModuleBuildError::OtherName { dir, name, found });
        }
        Ok(said)
    }

    /// What make works on: a build file that names the sources, or a copy of them where the module
    /// has its own.
    fn lay_out(&self, work: &Path, support: &Path) -> Result<(), ModuleBuildError> {
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |e| ModuleBuildError::io(path, e)
        };
        fs::create_dir_all(work).map_err(io(work))?;
        if self.source.kind != Kind::Own {
            let path = work.join("Kbuild");
            return fs::write(&path, kbuild::text(self.source, support)?).map_err(io(&path));
        }
        for file in self.source.files()? {
            let below = file.strip_prefix(&self.source.dir).unwrap_or(&file);
            let copy = work.join(below);
            fs::create_dir_all(copy.parent().unwrap_or(work)).map_err(io(&copy))?;
            fs::copy(&file, &copy).map_err(io(&copy))?;
        }
        Ok(())
    }

    fn make(&self, work: &Path) -> Result<String, ModuleBuildError> {
        let mut make = Command::new("make");
        for name in FOREIGN {
            make.env_remove(name);
        }
        make.env("LC_ALL", "C").args(["-s", "-C"]).arg(self.devel);
        make.arg(format!("M={}", kbuild::plain(work)?));
        self.compilers.add_to(&mut make);
        make.arg("modules");
        let done = make.output().map_err(|e| ModuleBuildError::io("make", e))?;
        let said = output::of_compilers(&String::from_utf8_lossy(&done.stderr));
        // Compilers name the copy where the module has a build file of its own.
        let said = said.replace(&*work.to_string_lossy(), &self.source.dir.to_string_lossy());
        if done.status.success() { Ok(said) } else { Err(self.refused(said)) }
    }

    fn refused(&self, output: String) -> ModuleBuildError {
        let name = self.source.name.clone();
        let symbols = output::undefined_symbols(&output);
        if symbols.is_empty() {
            ModuleBuildError::Compile { name, output }
        } else {
            ModuleBuildError::MissingSymbols { name, symbols, output }
        }
    }

    /// Moves the modules out of `work`; gives their names.
    fn keep_modules(&self, work: &Path) -> Result<Vec<String>, ModuleBuildError> {
        let listing = fs::read_dir(work).map_err(|e| ModuleBuildError::io(work, e))?;
        let mut names = Vec::new();
        for path in listing.filter_map(|entry| Some(entry.ok()?.path())) {
            if let Ok(module) = ModuleFile::at(&path) {
                let kept = self.dir.join(format!("{}.ko", module.name));
                fs::rename(&path, &kept).map_err(|e| ModuleBuildError::io(&kept, e))?;
                names.push(module.name);
            }
        }
        names.sort();
        Ok(names)
    }
}
