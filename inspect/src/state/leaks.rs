//! Objects that were allocated between two snapshots and that nothing points to any more.

use serde::Serialize;

use super::{AllocationSite, SlabCache};
use crate::Address;
use crate::kernel::{Error, Kernel};

/// A new object without a reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeakedObject {
    /// Its address.
    pub address: Address,
    /// Who allocated it, where the cache keeps track (`slub_debug=U`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<AllocationSite>,
}

/// The leaked objects of one cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leak {
    /// Name of the cache.
    pub name: String,
    /// The struct that its objects are, where the cache is named after one.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    /// Bytes of an object.
    pub object_size: u64,
    /// Objects that are new and without a reference.
    pub count: u64,
    /// Those objects.
    pub objects: Vec<LeakedObject>,
}

impl Kernel {
    /// Live objects of `later` that were not live before and that no word of memory in use points to, by
    /// cache, the cache with the most first. A stale pointer hides a leak, and an object that is only
    /// known by a transformed pointer looks like one: the growth of a [`Kernel::diff`] tells how many
    /// objects there are more, this tells which of them nobody can free.
    ///
    /// # Errors
    /// When the two are not of one boot of one kernel, or one of them cannot be read.
    pub fn leaks(&self, later: &Self) -> Result<Vec<Leak>, Error> {
        self.same_boot(later)?;
        let before = self.slabs()?.items;
        let after = later.slabs()?.items;
        let new = new_objects(&before, &after);
        let unreferenced = later.unreferenced(&new, &after)?;
        let mut leaks: Vec<Leak> =
            after.iter().filter_map(|cache| later.leak_of(cache, &unreferenced)).collect();
        leaks.sort_by_key(|leak| std::cmp::Reverse(leak.count));
        Ok(leaks)
    }

    fn leak_of(&self, cache: &SlabCache, unreferenced: &[u64]) -> Option<Leak> {
        let mine = |object: &&u64| cache.objects.binary_search(object).is_ok();
        let objects: Vec<LeakedObject> = unreferenced
            .iter()
            .filter(mine)
            .map(|object| LeakedObject {
                address: Address(*object),
                site: self.allocation_site(cache.address.0, *object).ok().flatten(),
            })
            .collect();
        (!objects.is_empty()).then(|| Leak {
            name: cache.name.clone(),
            type_name: self.type_of_cache(&cache.name),
            object_size: cache.object_size,
            count: objects.len() as u64,
            objects,
        })
    }
}

/// Start and end of every object that is live after and was not before, ascending.
fn new_objects(before: &[SlabCache], after: &[SlabCache]) -> Vec<(u64, u64)> {
    let mut new = Vec::new();
    for cache in after {
        let old = before.iter().find(|old| old.address == cache.address);
        let old = old.map_or(&[][..], |old| &old.objects);
        let fresh = cache.objects.iter().filter(|object| old.binary_search(object).is_err());
        new.extend(fresh.map(|object| (*object, object.saturating_add(cache.object_size.max(1)))));
    }
    new.sort_unstable();
    new
}
