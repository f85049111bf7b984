//! Slab caches and their live objects, exactly.
//!
//! What slabinfo counts as active includes objects that sit in per-CPU free lists, so on a small guest it
//! is wrong by more than a test can bear. Here every object of every slab counts as live unless it is on
//! a free list: of its slab, of a CPU, or (since 6.18) in a sheaf. Objects that wait for the end of an RCU
//! grace period, or in KASAN's quarantine, count as live.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde::Serialize;

use super::slab_pages::{FreeList, Slab};
use crate::Address;
use crate::kernel::{Error, Field, Kernel, Walk};

/// A sheaf holds some 60 objects; the limit only has to stop a damaged count.
const MAX_SHEAF: u64 = 4096;

/// One slab cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlabCache {
    /// Name, as in `/proc/slabinfo`. Caches of equal objects are merged by the kernel unless it was
    /// booted with `slab_nomerge`; then one name stands for several.
    pub name: String,
    /// Address of its `struct kmem_cache`.
    pub address: Address,
    /// Bytes that the user of an object may use.
    pub object_size: u64,
    /// Bytes from one object to the next.
    pub stride: u64,
    /// Slabs.
    pub slabs: u64,
    /// Objects that the slabs have room for.
    pub total: u64,
    /// Objects in use.
    pub live: u64,
    /// Addresses of the objects in use, ascending.
    #[serde(skip)]
    pub objects: Vec<u64>,
    /// Addresses of the slabs, ascending, and bytes of each that hold objects.
    #[serde(skip)]
    pub extents: Vec<(u64, u64)>,
}

/// A cache while its slabs are being collected.
pub(super) struct Cache {
    pub name: String,
    pub object_size: u64,
    pub stride: u64,
    pub left_pad: u64,
    pub free_list: FreeList,
    pub slabs: Vec<Slab>,
    pub free: HashSet<u64>,
}

impl Cache {
    fn finish(self, address: u64) -> SlabCache {
        let mut objects: Vec<u64> = self
            .slabs
            .iter()
            .flat_map(|slab| {
                let first = slab.address.wrapping_add(self.left_pad);
                (0..slab.objects).map(move |index| first.wrapping_add(index * self.stride))
            })
            .filter(|object| !self.free.contains(object))
            .collect();
        objects.sort_unstable();
        let extent = |slab: &Slab| (slab.address, slab.objects.saturating_mul(self.stride));
        let mut extents: Vec<_> = self.slabs.iter().map(extent).collect();
        extents.sort_unstable();
        SlabCache {
            name: self.name,
            address: Address(address),
            object_size: self.object_size,
            stride: self.stride,
            slabs: self.slabs.len() as u64,
            total: self.slabs.iter().map(|slab| slab.objects).sum(),
            live: objects.len() as u64,
            objects,
            extents,
        }
    }
}

impl Kernel {
    /// All slab caches with their live objects, by name.
    ///
    /// # Errors
    /// Where this kernel's allocator is not SLUB as any known version has it.
    pub fn slabs(&self) -> Result<Walk<SlabCache>, Error> {
        let mut walk = Walk::default();
        let mut caches = self.caches(&mut walk)?;
        self.collect_slabs(&mut caches, &mut walk)?;
        let cpus = self.possible_cpus()?;
        for (address, cache) in &mut caches {
            let more = self.cached_free(*address, cache.free_list, &cpus);
            match more {
                Ok(free) => cache.free.extend(free),
                Err(error) => walk.broke(*address, error),
            }
        }
        walk.items = caches.into_iter().map(|(address, cache)| cache.finish(address)).collect();
        walk.items.sort_by(|a, b| a.name.cmp(&b.name).then(a.address.cmp(&b.address)));
        Ok(walk)
    }

    fn caches(&self, walk: &mut Walk<SlabCache>) -> Result<HashMap<u64, Cache>, Error> {
        let fields = CacheFields::resolve(self)?;
        let head = self.symbols().address("slab_caches")?;
        let list = self.list(head, self.offset("kmem_cache", "list")?);
        walk.broke_at.extend(list.broke_at);
        let mut caches = HashMap::new();
        for address in list.items {
            match fields.read(self, address) {
                Ok(cache) => {
                    caches.insert(address, cache);
                }
                Err(error) => walk.broke(address, error),
            }
        }
        Ok(caches)
    }

    /// Free objects that are not on the free list of their slab: those of a CPU's active slab, and those
    /// in sheaves.
    fn cached_free(&self, cache: u64, list: FreeList, cpus: &[u32]) -> Result<HashSet<u64>, Error> {
        let mut free = HashSet::new();
        if let Ok(field) = self.field("kmem_cache", "cpu_slab") {
            let active = self.get(cache, field)?;
            let first = self.field("kmem_cache_cpu", "freelist")?;
            for cpu in cpus {
                let head = self.get(self.per_cpu_pointer(active, *cpu)?, first)?;
                list.follow(self, head, &mut free)?;
            }
        }
        for sheaf in self.sheaves(cache, cpus)? {
            self.empty_sheaf(sheaf, &mut free)?;
        }
        Ok(free)
    }

    /// Every sheaf with objects that are free to use: two a CPU, and the full ones in the barn of each
    /// node. Those in a CPU's `rcu_free` sheaf wait for a grace period.
    fn sheaves(&self, cache: u64, cpus: &[u32]) -> Result<Vec<u64>, Error> {
        let mut sheaves = Vec::new();
        let Ok(per_cpu) = self.field("kmem_cache", "cpu_sheaves") else {
            return Ok(sheaves);
        };
        let per_cpu = self.get(cache, per_cpu)?;
        if per_cpu == 0 {
            return Ok(sheaves);
        }
        for cpu in cpus {
            let at = self.per_cpu_pointer(per_cpu, *cpu)?;
            for member in ["main", "spare"] {
                sheaves.push(self.get(at, self.field("slub_percpu_sheaves", member)?)?);
            }
        }
        for barn in self.barns(cache)? {
            let head = barn.wrapping_add(self.offset("node_barn", "sheaves_full")?);
            sheaves.extend(self.list(head, self.offset("slab_sheaf", "barn_list")?).items);
        }
        sheaves.retain(|sheaf| *sheaf != 0);
        Ok(sheaves)
    }

    /// The memory of every sheaf of a cache that can be found, free, full or empty.
    pub(super) fn all_sheaves(&self, cache: u64, cpus: &[u32]) -> Result<Vec<Range<u64>>, Error> {
        let Ok(capacity) = self.field("kmem_cache", "sheaf_capacity") else {
            return Ok(Vec::new());
        };
        let capacity = self.get(cache, capacity)?.min(MAX_SHEAF);
        let bytes = self.size_of("slab_sheaf")?.saturating_add(8 * capacity);
        let mut sheaves = self.sheaves(cache, cpus)?;
        for barn in self.barns(cache)? {
            let head = barn.wrapping_add(self.offset("node_barn", "sheaves_empty")?);
            sheaves.extend(self.list(head, self.offset("slab_sheaf", "barn_list")?).items);
        }
        Ok(sheaves.into_iter().map(|sheaf| sheaf..sheaf.saturating_add(bytes)).collect())
    }

    /// The barns of a cache: in `per_node[]` since 7.x, in each `kmem_cache_node` before.
    fn barns(&self, cache: u64) -> Result<Vec<u64>, Error> {
        let nodes = match self.symbols().find("nr_node_ids") {
            Some(at) => self.space().u32(at)?.clamp(1, 1024),
            None => 1,
        };
        let mut barns = Vec::new();
        for node in 0..nodes {
            let barn = if let Ok(field) =
                self.field("kmem_cache", &format!("per_node[{node}].barn"))
            {
                self.get(cache, field)?
            } else {
                let node = self.get(cache, self.field("kmem_cache", &format!("node[{node}]"))?)?;
                self.get(node, self.field("kmem_cache_node", "barn")?)?
            };
            if barn != 0 {
                barns.push(barn);
            }
        }
        Ok(barns)
    }

    fn empty_sheaf(&self, sheaf: u64, free: &mut HashSet<u64>) -> Result<(), Error> {
        let count = self.get(sheaf, self.field("slab_sheaf", "size")?)?.min(MAX_SHEAF);
        let objects = sheaf.wrapping_add(self.offset("slab_sheaf", "objects")?);
        for index in 0..count {
            free.insert(self.space().u64(objects.wrapping_add(8 * index))?);
        }
        Ok(())
    }
}

/// Members of `struct kmem_cache` as this kernel has them.
struct CacheFields {
    name: Field,
    object_size: Field,
    size: Field,
    free_offset: Field,
    random: Option<Field>,
    left_pad: Option<Field>,
}

impl CacheFields {
    fn resolve(kernel: &Kernel) -> Result<Self, Error> {
        let field = |path| kernel.field("kmem_cache", path);
        Ok(Self {
            name: field("name")?,
            object_size: field("object_size")?,
            size: field("size")?,
            free_offset: field("offset")?,
            random: field("random").ok(),
            left_pad: field("red_left_pad").ok(),
        })
    }

    fn read(&self, kernel: &Kernel, at: u64) -> Result<Cache, Error> {
        let optional = |field: Option<Field>| field.map(|field| kernel.get(at, field)).transpose();
        Ok(Cache {
            name: kernel.text_at(at, self.name)?,
            object_size: kernel.get(at, self.object_size)?,
            stride: kernel.get(at, self.size)?,
            left_pad: optional(self.left_pad)?.unwrap_or(0),
            free_list: FreeList {
                offset: kernel.get(at, self.free_offset)?,
                random: optional(self.random)?,
            },
            slabs: Vec::new(),
            free: HashSet::new(),
        })
    }
}
