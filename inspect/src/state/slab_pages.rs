//! Slabs, found by looking at every `struct page`.

use std::collections::{HashMap, HashSet};

use super::slabs::{Cache, SlabCache};
use crate::kernel::{Error, Field, Kernel, Walk};

/// Entries of one free list at most; `slab.objects` has 15 bits.
const MAX_FREE: usize = 1 << 16;
/// Smallest object of SLUB.
const MIN_OBJECT: u64 = 8;

/// One slab.
pub(super) struct Slab {
    /// Address of its first byte, in the direct map.
    pub address: u64,
    /// Objects it has room for.
    pub objects: u64,
}

/// How a cache links its free objects.
#[derive(Debug, Clone, Copy)]
pub(super) struct FreeList {
    /// Offset of the link inside of an object.
    pub offset: u64,
    /// With CONFIG_SLAB_FREELIST_HARDENED links are stored as `link ^ random ^ bswap(where)`.
    pub random: Option<u64>,
}

impl FreeList {
    /// Adds the objects from `first` on to `free`.
    pub fn follow(
        &self,
        kernel: &Kernel,
        first: u64,
        free: &mut HashSet<u64>,
    ) -> Result<(), Error> {
        let mut object = first;
        for _ in 0..MAX_FREE {
            // An object that is there already: the list runs into itself or into another one.
            if object == 0 || !free.insert(object) {
                return Ok(());
            }
            let at = object.wrapping_add(self.offset);
            let stored = kernel.space().u64(at)?;
            object = match self.random {
                Some(random) => stored ^ random ^ at.swap_bytes(),
                None => stored,
            };
        }
        Ok(())
    }
}

/// How the kernel marks a page as a slab.
enum SlabMark {
    /// A bit of `page.flags`, before 6.10.
    Flag(Field, u64),
    /// The upper byte of `page.page_type`, since 6.12.
    Type(Field, u64),
    /// A bit of `page.page_type` that is clear, 6.10 and 6.11.
    ClearBit(Field, u64),
}

impl SlabMark {
    fn resolve(kernel: &Kernel) -> Result<Self, Error> {
        let constant = |name| kernel.types().constant(name).map(i64::cast_unsigned);
        let page_type = || kernel.field("page", "page_type");
        if let Some(kind) = constant("PGTY_slab") {
            return Ok(Self::Type(page_type()?, kind));
        }
        match constant("PG_slab") {
            Some(bit) if bit < 64 => Ok(Self::Flag(kernel.field("page", "flags")?, bit)),
            Some(mask) => Ok(Self::ClearBit(page_type()?, mask)),
            None => Err(Error::Unsupported {
                what: "mark for slab pages that is known here".to_owned(),
                advice: "slab caches cannot be read",
            }),
        }
    }

    fn is_slab(&self, page: &[u8]) -> bool {
        let value = |field: &Field| field.value(page).unwrap_or(0);
        match self {
            Self::Flag(field, bit) => value(field) >> bit & 1 != 0,
            Self::Type(field, kind) => value(field) >> 24 == *kind,
            Self::ClearBit(field, mask) => value(field) & (0xf000_0000 | mask) == 0xf000_0000,
        }
    }
}

/// Members of `struct slab`, which is `struct page` seen otherwise.
struct SlabFields {
    mark: SlabMark,
    cache: Field,
    free: Field,
    objects: Field,
}

impl SlabFields {
    fn resolve(kernel: &Kernel) -> Result<Self, Error> {
        let field = |path| kernel.field_any(&[("slab", path), ("page", path)]);
        Ok(Self {
            mark: SlabMark::resolve(kernel)?,
            cache: field("slab_cache")?,
            free: field("freelist")?,
            objects: field("objects")?,
        })
    }
}

/// A slab as its `struct page` describes it.
struct Found {
    cache: u64,
    first_free: u64,
    slab: Slab,
}

impl Kernel {
    /// Gives every slab in RAM to its cache, with the free objects of its own list.
    pub(super) fn collect_slabs(
        &self,
        caches: &mut HashMap<u64, Cache>,
        walk: &mut Walk<SlabCache>,
    ) -> Result<(), Error> {
        let fields = SlabFields::resolve(self)?;
        // Slabs do not overlap, so together they are no larger than RAM.
        let mut budget = self.dump().memory.end();
        for found in self.find_slabs(&fields)? {
            // A slab of no known cache: its page is being freed or allocated right now.
            let Some(cache) = caches.get_mut(&found.cache) else {
                continue;
            };
            let bytes = found.slab.objects.saturating_mul(cache.stride);
            if cache.stride < MIN_OBJECT || bytes > budget {
                walk.broke(found.slab.address, "a slab larger than the RAM that is left");
                continue;
            }
            budget -= bytes;
            let followed = cache.free_list.follow(self, found.first_free, &mut cache.free);
            if let Err(error) = followed {
                walk.broke(found.slab.address, error);
            }
            cache.slabs.push(found.slab);
        }
        Ok(())
    }

    fn find_slabs(&self, fields: &SlabFields) -> Result<Vec<Found>, Error> {
        let page_size = self.page_size();
        let array = self.page_array()?;
        let size = array.size();
        let offset = self.page_offset()?;
        // Descriptors are read by the page; the array has holes where RAM has.
        let batch = (page_size / size).max(1);
        let mut found = Vec::new();
        let mut bytes = vec![0; crate::bytes::index(batch * size)];
        for range in self.dump().memory.ranges() {
            let mut frame = range.start / page_size / batch * batch;
            while frame < range.end / page_size {
                let at = array.descriptor(frame);
                if at.is_some_and(|at| self.space().read(at, &mut bytes).is_ok()) {
                    let pages = (frame..).zip(bytes.chunks_exact(crate::bytes::index(size)));
                    found.extend(pages.filter_map(|(frame, page)| {
                        let address = offset.wrapping_add(frame * page_size);
                        fields.slab(page, address)
                    }));
                }
                frame += batch;
            }
        }
        Ok(found)
    }
}

impl SlabFields {
    fn slab(&self, page: &[u8], address: u64) -> Option<Found> {
        if !self.mark.is_slab(page) {
            return None;
        }
        Some(Found {
            cache: self.cache.value(page)?,
            first_free: self.free.value(page)?,
            slab: Slab { address, objects: self.objects.value(page)? },
        })
    }
}
