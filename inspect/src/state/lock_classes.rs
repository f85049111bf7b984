//! Lockdep's lock classes and the graph of which was taken inside of which.
//!
//! Source: include/linux/lockdep_types.h, `struct lock_class`; kernel/locking/lockdep.c,
//! `__get_key_name`, `struct lock_list`.

use std::collections::HashMap;

use serde::Serialize;

use crate::Address;
use crate::kernel::{Error, Kernel, Walk};

const MAX_NAME: usize = 256;

/// A class of locks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockClass {
    /// Address of its `struct lock_class`.
    pub address: Address,
    /// Name as lockdep prints it: `rtnl_mutex`, `&rq->__lock/1`, `&p->lock#2`.
    pub name: String,
    /// How its locks were used so far, by the names of `enum lock_usage_bit` without `LOCK_`.
    pub usage: Vec<String>,
    /// Names of the classes that were taken directly while one of this class was held.
    pub after: Vec<String>,
    /// How many classes were held directly when one of this class was taken.
    pub before: usize,
}

impl Kernel {
    /// All lock classes in use, with the graph of their dependencies.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on kernels without CONFIG_LOCKDEP.
    pub fn lock_classes(&self) -> Result<Walk<LockClass>, Error> {
        if !self.has_lockdep() {
            return Err(Error::Unsupported {
                what: "classes of locks".to_owned(),
                advice: "build it with CONFIG_PROVE_LOCKING=y",
            });
        }
        let head = self.symbols().address("all_lock_classes")?;
        let classes = self.list(head, self.offset("lock_class", "lock_entry")?);
        let mut names = HashMap::new();
        for class in &classes.items {
            // A class whose name cannot be read is told apart by its address.
            let name = self.lock_class_name(*class).unwrap_or_else(|_| format!("{class:#x}"));
            names.insert(*class, name);
        }
        let usage = self.lock_usage();
        Ok(classes.then(|at, walk| {
            let class = self.lock_class(at, &names, &usage, walk);
            walk.take(at, class);
        }))
    }

    fn lock_class(
        &self,
        at: u64,
        names: &HashMap<u64, String>,
        usage: &[(u64, String)],
        walk: &mut Walk<LockClass>,
    ) -> Result<LockClass, Error> {
        let mask = self.get(at, self.field("lock_class", "usage_mask")?)?;
        let entry = self.offset("lock_list", "entry")?;
        let class = self.field("lock_list", "class")?;
        let mut neighbours = |list| -> Result<Vec<u64>, Error> {
            let head = at.wrapping_add(self.offset("lock_class", list)?);
            let list = self.list(head, entry);
            walk.broke_at.extend(list.broke_at);
            list.items.into_iter().map(|it| self.get(it, class)).collect()
        };
        let name = |class: &u64| names.get(class).cloned().unwrap_or_else(|| format!("{class:#x}"));
        Ok(LockClass {
            address: Address(at),
            name: name(&at),
            usage: usage
                .iter()
                .filter(|(bit, _)| mask >> bit & 1 != 0)
                .map(|(_, it)| it.clone())
                .collect(),
            after: neighbours("locks_after")?.iter().map(name).collect(),
            before: neighbours("locks_before")?.len(),
        })
    }

    /// Bits of `usage_mask` and their names.
    fn lock_usage(&self) -> Vec<(u64, String)> {
        let types = self.types();
        let bits =
            types.find("lock_usage_bit").map_or_else(|_| Vec::new(), |id| types.enumerators(id));
        bits.into_iter()
            .filter_map(|(name, bit)| {
                let bit = u64::try_from(bit).ok().filter(|bit| *bit < 64)?;
                Some((bit, name.strip_prefix("LOCK_")?.to_lowercase()))
            })
            .collect()
    }

    /// A class without a name is called after its key, as lockdep itself does.
    fn lock_class_name(&self, at: u64) -> Result<String, Error> {
        let get = |path| self.get(at, self.field("lock_class", path)?);
        let name = match get("name")? {
            0 => self.symbolize(get("key")?),
            name => self.space().string(name, MAX_NAME)?,
        };
        let version = match get("name_version")? {
            0 | 1 => String::new(),
            version => format!("#{version}"),
        };
        let subclass = match get("subclass")? {
            0 => String::new(),
            subclass => format!("/{subclass}"),
        };
        Ok(format!("{name}{version}{subclass}"))
    }
}
