//! The debugging information of a kernel: its vmlinux, and the modules that reports name.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{cell::RefCell, fs};

use guest_image::kernel::{ModuleFile, ModuleTree};

use super::SymbolsError;
use super::image::{Image, Place};
use super::prelink::prelink;

/// The symbols and debugging information of a kernel.
pub struct Symbols {
    kernel: Image,
    tree: Option<ModuleTree>,
    /// Modules that are in no tree, by name.
    files: HashMap<String, PathBuf>,
    /// Modules that were asked for; none where there is no file or no debugging information.
    modules: RefCell<HashMap<String, Option<Rc<Image>>>>,
}

impl Symbols {
    /// Reads the symbols of the vmlinux at `path`; its debugging information is read as it is needed. Modules are looked
    /// for where builds and packages have them: in the build tree of the vmlinux, or in the `lib/modules` that belongs to
    /// its `boot`.
    ///
    /// # Errors
    /// When it cannot be read, or has no symbols or no debugging information.
    pub fn open(path: &Path) -> Result<Self, SymbolsError> {
        let kernel = Image::open(path)?;
        let tree = kernel.release().and_then(|release| tree_of(path, release));
        Ok(Self { kernel, tree, files: HashMap::new(), modules: RefCell::default() })
    }

    /// With the modules of `tree` instead of those beside the vmlinux.
    #[must_use]
    pub fn with_tree(mut self, tree: Option<ModuleTree>) -> Self {
        self.tree = tree.or(self.tree);
        self
    }

    /// With module files that are in no tree.
    #[must_use]
    pub fn with_files<'a>(mut self, files: impl IntoIterator<Item = &'a Path>) -> Self {
        let named = files.into_iter().filter_map(|path| ModuleFile::at(path).ok());
        self.files.extend(named.map(|file| (file.name, file.path)));
        self
    }

    /// The kernel's release, as its banner says it.
    pub fn release(&self) -> Option<&str> {
        self.kernel.release()
    }

    /// The build ID of the vmlinux, in hexadecimal digits.
    pub fn build_id(&self) -> Option<&str> {
        self.kernel.build_id()
    }

    /// The source lines at `offset` in the function `name` of `size` bytes, in the kernel or in a module. `build_id` is
    /// the module's, where the log has it.
    pub fn place(&self, within: Within<'_>, name: &str, offset: u64, size: u64) -> Place {
        let Some(module) = within.module else { return self.kernel.place(name, offset, size) };
        let Some(image) = self.module(module) else { return Place::Unknown };
        let other = |id: &str| image.build_id().is_some_and(|own| own != id);
        if within.build_id.is_some_and(other) {
            return Place::OtherBuild;
        }
        image.place(name, offset, size)
    }

    /// The source lines at an address of the vmlinux, as it was linked.
    pub fn at(&self, address: u64) -> Place {
        self.kernel.lines(address)
    }

    fn module(&self, name: &str) -> Option<Rc<Image>> {
        let mut modules = self.modules.borrow_mut();
        modules.entry(name.to_owned()).or_insert_with(|| self.open_module(name)).clone()
    }

    fn open_module(&self, name: &str) -> Option<Rc<Image>> {
        let own = self.files.get(name).and_then(|path| ModuleFile::at(path).ok());
        let file = own.or_else(|| self.tree.as_ref()?.find(name))?;
        let mut bytes = file.read().ok()?;
        prelink(&mut bytes).ok()?;
        // The loader takes a path only; it maps the file, which then needs no name.
        let mut linked = tempfile::NamedTempFile::new().ok()?;
        linked.write_all(&bytes).ok()?;
        Image::open(linked.path()).ok().map(Rc::new)
    }
}

/// Where a function lies.
#[derive(Debug, Clone, Copy)]
pub struct Within<'a> {
    /// The module; none for the kernel itself.
    pub module: Option<&'a str>,
    /// Build ID of the module, where the log has it.
    pub build_id: Option<&'a str>,
}

/// The modules that belong to the vmlinux at `path`.
fn tree_of(path: &Path, release: &str) -> Option<ModuleTree> {
    let dir = fs::canonicalize(path).ok()?.parent()?.to_owned();
    let built = dir.join("modules.order").is_file().then(|| dir.clone());
    let installed = || dir.parent().map(|root| root.join("lib/modules").join(release));
    let root = built.or_else(installed).filter(|root| root.is_dir())?;
    ModuleTree::open(root).ok()
}
