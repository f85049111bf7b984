//! The modules of one kernel.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::compression::Compression;
use super::index::{Index, name_of, unreadable};
use super::info::canonical;
use super::order::{Graph, load_order};
use super::{ModInfo, ModuleError};

/// Largest module that is decompressed, in bytes. amdgpu with debug information has 500 MB.
const MAX_MODULE: u64 = 1 << 30;

/// How many similar names an error lists.
const MAX_NEAREST: usize = 3;

/// Letters that may be wrong, missing, too many or swapped in a name that is similar.
const MAX_SLIPS: usize = 2;

/// The modules of one kernel: `lib/modules/RELEASE`, or a kernel build tree.
#[derive(Debug, Clone)]
pub struct ModuleTree {
    root: PathBuf,
    index: Index,
}

/// One module file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFile {
    /// The module's name, with `_` for `-`.
    pub name: String,
    /// The file; it may be compressed.
    pub path: PathBuf,
}

impl ModuleFile {
    /// The module file at `path`, outside any tree.
    ///
    /// # Errors
    /// When the file's name is not that of a module.
    pub fn at(path: &Path) -> Result<Self, ModuleError> {
        let name = name_of(path).ok_or_else(|| ModuleError::NotAModule {
            path: path.into(),
            what: "its name does not end in .ko, .ko.xz, .ko.zst or .ko.gz".into(),
        })?;
        Ok(Self { name, path: path.into() })
    }

    /// The module itself, decompressed: what `finit_module` takes.
    ///
    /// # Errors
    /// When the file cannot be read or decompressed.
    pub fn read(&self) -> Result<Vec<u8>, ModuleError> {
        let bytes = fs::read(&self.path).map_err(|e| unreadable(&self.path, e))?;
        match Compression::detect(&bytes) {
            None => Ok(bytes),
            Some(compression) => {
                compression.decompress(&bytes, MAX_MODULE).map_err(|e| ModuleError::NotAModule {
                    path: self.path.clone(),
                    what: format!("damaged {compression:?} data: {e}"),
                })
            }
        }
    }

    /// What the module says of itself.
    ///
    /// # Errors
    /// When the file cannot be read, or is no module.
    pub fn info(&self) -> Result<ModInfo, ModuleError> {
        ModInfo::read(&self.path, &self.read()?)
    }
}

impl ModuleTree {
    /// The modules under `root`.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, ModuleError> {
        let root = root.into();
        Ok(Self { index: Index::read(&root)?, root })
    }

    /// The directory of the tree.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the module `name` is part of the kernel itself.
    #[must_use]
    pub fn is_builtin(&self, name: &str) -> bool {
        self.index.builtin.contains(&canonical(name))
    }

    /// The loadable module `name`, if the tree has it.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<ModuleFile> {
        let name = canonical(name);
        let path = self.index.files.get(&name)?.clone();
        Some(ModuleFile { name, path })
    }

    /// The loadable modules' names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.index.files.keys().map(String::as_str)
    }

    /// The files to load for the modules `names`, in order: each after all that it depends on.
    /// Modules that are part of the kernel need no file. Soft dependencies that the tree lacks are
    /// passed over, as modprobe does.
    ///
    /// # Errors
    /// When a module or one that it depends on is missing or damaged, or they form a circle.
    pub fn load_order<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<ModuleFile>, ModuleError> {
        let wanted: Vec<String> = names.iter().map(|name| canonical(name.as_ref())).collect();
        for name in &wanted {
            self.expect(name, None)?;
        }
        let order = load_order(&mut Needs { tree: self }, &wanted)?;
        Ok(order.iter().filter_map(|name| self.find(name)).collect())
    }

    /// The files that must be loaded before `module`, which need not be in the tree.
    ///
    /// # Errors
    /// As [`ModuleTree::load_order`].
    pub fn needs_of(&self, module: &ModuleFile) -> Result<Vec<ModuleFile>, ModuleError> {
        let needs = self.direct_needs(module)?;
        self.load_order(&needs)
    }

    fn direct_needs(&self, module: &ModuleFile) -> Result<Vec<String>, ModuleError> {
        let info = module.info()?;
        for name in &info.depends {
            self.expect(name, Some(&module.name))?;
        }
        let soft = info.softdeps.iter().filter_map(|name| self.soft(name));
        Ok(soft.chain(info.depends.iter().cloned()).collect())
    }

    /// The module that a soft dependency means. Some name an algorithm of the crypto API, as
    /// libcrc32c does; the one that runs on every CPU is in the module `ALGORITHM_generic`.
    fn soft(&self, name: &str) -> Option<String> {
        let names = [name.to_owned(), format!("{name}_generic")];
        names.into_iter().find(|name| self.index.files.contains_key(name))
    }

    fn expect(&self, name: &str, needed_by: Option<&str>) -> Result<(), ModuleError> {
        if self.index.files.contains_key(name) || self.is_builtin(name) {
            return Ok(());
        }
        Err(ModuleError::NotFound {
            name: name.into(),
            needed_by: needed_by.map(Into::into),
            tree: self.root.clone(),
            nearest: self.similar(name),
        })
    }

    /// Names that are a slip or two away from `name`, or contain it, or are a part of it; the
    /// nearest first.
    fn similar(&self, name: &str) -> Vec<String> {
        let mut alike: Vec<(usize, &str)> = self
            .names()
            .map(|known| (strsim::damerau_levenshtein(known, name), known))
            .filter(|(distance, known)| {
                let is_part = known.contains(name) || (known.len() > 3 && name.contains(*known));
                is_part || *distance <= MAX_SLIPS
            })
            .collect();
        alike.sort_unstable();
        alike.into_iter().take(MAX_NEAREST).map(|(_, known)| known.to_owned()).collect()
    }
}

struct Needs<'a> {
    tree: &'a ModuleTree,
}

impl Graph for Needs<'_> {
    fn needs(&mut self, name: &str) -> Result<Vec<String>, ModuleError> {
        match self.tree.find(name) {
            Some(module) => self.tree.direct_needs(&module),
            None => Ok(Vec::new()),
        }
    }
}
