//! What changed between two snapshots of one boot.
//!
//! Addresses are no identities: an object that was freed and allocated again has the same one. So counts
//! say how much a cache grew, and addresses only which objects are worth a look.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::SlabCache;
use crate::Address;
use crate::kernel::{Error, Kernel};

/// Caches whose name says not what their objects are.
const RENAMED: [(&str, &str); 8] = [
    ("filp", "file"),
    ("shmem_inode_cache", "shmem_inode_info"),
    ("proc_inode_cache", "proc_inode"),
    ("inode_cache", "inode"),
    ("ext4_inode_cache", "ext4_inode_info"),
    ("names_cache", "filename"),
    ("sighand_cache", "sighand_struct"),
    ("anon_vma", "anon_vma"),
];

/// How a slab cache changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlabChange {
    /// Name of the cache.
    pub name: String,
    /// The struct that its objects are, where the cache is named after one.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    /// Objects more than before; negative for fewer.
    pub growth: i64,
    /// Live objects before.
    pub before: u64,
    /// Live objects after.
    pub after: u64,
    /// Addresses that are live after and were not before.
    pub new: Vec<Address>,
    /// Number of addresses that were live before and are not after.
    pub gone: u64,
}

/// Objects more than before.
fn growth(before: usize, after: usize) -> i64 {
    let signed = |count| i64::try_from(count).unwrap_or(i64::MAX);
    signed(after) - signed(before)
}

/// The difference of two snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Caches whose live objects differ, the one that grew most first.
    pub slabs: Vec<SlabChange>,
    /// Tasks that are only in the second one: pid and name.
    pub new_tasks: Vec<(i64, String)>,
    /// Tasks that are only in the first one.
    pub gone_tasks: Vec<(i64, String)>,
    /// Modules that are only in the second one.
    pub new_modules: Vec<String>,
    /// Modules that are only in the first one.
    pub gone_modules: Vec<String>,
}

impl Kernel {
    /// What changed from this snapshot to a later one.
    ///
    /// # Errors
    /// When the two are not of one boot of one kernel, or one of them cannot be read.
    pub fn diff(&self, later: &Self) -> Result<Diff, Error> {
        self.same_boot(later)?;
        let tasks = |kernel: &Self| -> Result<HashSet<(i64, String)>, Error> {
            let tasks = kernel.tasks()?.items;
            Ok(tasks.into_iter().map(|task| (task.pid, task.comm)).collect())
        };
        let modules = |kernel: &Self| -> Result<HashSet<String>, Error> {
            Ok(kernel.modules()?.items.into_iter().map(|module| module.name).collect())
        };
        let (tasks_before, tasks_after) = (tasks(self)?, tasks(later)?);
        let (modules_before, modules_after) = (modules(self)?, modules(later)?);
        let mut slabs = slab_changes(self.slabs()?.items, later.slabs()?.items);
        for change in &mut slabs {
            change.type_name = later.type_of_cache(&change.name);
        }
        Ok(Diff {
            slabs,
            new_tasks: only_in_first(&tasks_after, &tasks_before),
            gone_tasks: only_in_first(&tasks_before, &tasks_after),
            new_modules: only_in_first(&modules_after, &modules_before),
            gone_modules: only_in_first(&modules_before, &modules_after),
        })
    }

    /// The struct that the objects of a cache are: most caches are named after theirs.
    pub(super) fn type_of_cache(&self, cache: &str) -> Option<String> {
        let renamed = RENAMED.iter().find(|(name, _)| *name == cache).map(|(_, ty)| *ty);
        let name = renamed.unwrap_or_else(|| cache.trim_end_matches("_cache"));
        self.size_of(name).is_ok().then(|| name.to_owned())
    }

    /// KASLR moves the kernel on every boot, so equal places mean one boot, or none with KASLR.
    pub(super) fn same_boot(&self, later: &Self) -> Result<(), Error> {
        let place = |kernel: &Self| (kernel.symbols().find("_text"), kernel.space().root());
        if self.release() == later.release() && place(self) == place(later) {
            return Ok(());
        }
        Err(Error::Question(format!(
            "the snapshots are of different boots ({} and {}): compare two of one boot",
            self.release(),
            later.release()
        )))
    }
}

fn only_in_first<T: Ord + Clone + std::hash::Hash>(
    first: &HashSet<T>,
    second: &HashSet<T>,
) -> Vec<T> {
    let mut only: Vec<T> = first.difference(second).cloned().collect();
    only.sort();
    only
}

fn slab_changes(before: Vec<SlabCache>, after: Vec<SlabCache>) -> Vec<SlabChange> {
    let mut objects: BTreeMap<String, (HashSet<u64>, HashSet<u64>)> = BTreeMap::new();
    for cache in before {
        objects.entry(cache.name).or_default().0.extend(cache.objects);
    }
    for cache in after {
        objects.entry(cache.name).or_default().1.extend(cache.objects);
    }
    let mut changes: Vec<SlabChange> = objects
        .into_iter()
        .filter(|(_, (before, after))| before != after)
        .map(|(name, (before, after))| SlabChange {
            name,
            type_name: None,
            growth: growth(before.len(), after.len()),
            before: before.len() as u64,
            after: after.len() as u64,
            new: only_in_first(&after, &before).into_iter().map(Address).collect(),
            gone: before.difference(&after).count() as u64,
        })
        .collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.growth));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(name: &str, objects: &[u64]) -> SlabCache {
        SlabCache {
            name: name.into(),
            address: Address(0),
            object_size: 8,
            stride: 8,
            slabs: 1,
            total: 8,
            live: objects.len() as u64,
            objects: objects.to_vec(),
            extents: Vec::new(),
        }
    }

    #[test]
    fn growth_is_by_count_and_the_largest_comes_first() {
        let before = vec![cache("a", &[1, 2]), cache("b", &[1]), cache("same", &[9])];
        let after = vec![cache("a", &[2, 3]), cache("b", &[1, 2, 3]), cache("same", &[9])];
        let changes = slab_changes(before, after);
        let got: Vec<_> = changes.iter().map(|c| (c.name.as_str(), c.growth, c.gone)).collect();
        assert_eq!(got, [("b", 2, 0), ("a", 0, 1)]);
        assert_eq!(changes[1].new, [Address(3)]);
    }
}
