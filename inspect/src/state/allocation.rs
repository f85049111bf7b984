//! Who allocated a slab object, as `slub_debug=U` records it behind each object.
//!
//! Source: mm/slub.c, `struct track`, `get_track`, `get_info_end`.

use serde::Serialize;

use crate::kernel::{Error, Kernel};

/// `SLAB_STORE_USER` of kernels before 6.10, which have no enumeration of the flags.
const STORE_USER: u64 = 0x1_0000;

/// Who allocated an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AllocationSite {
    /// The code that asked for it.
    pub function: String,
    /// The thread that ran it.
    pub pid: i64,
    /// The CPU that it ran on.
    pub cpu: i64,
}

impl Kernel {
    /// Who allocated `object` of the cache at `cache`; nothing where the cache keeps no track.
    ///
    /// # Errors
    /// When the cache or the object cannot be read.
    pub fn allocation_site(
        &self,
        cache: u64,
        object: u64,
    ) -> Result<Option<AllocationSite>, Error> {
        let of_cache = |member| self.get(cache, self.field("kmem_cache", member)?);
        if of_cache("flags")? & self.store_user() == 0 {
            return Ok(None);
        }
        let (in_use, link) = (of_cache("inuse")?, of_cache("offset")?);
        let link_behind = if link >= in_use { 8 } else { 0 };
        let track = object.wrapping_add(in_use).wrapping_add(link_behind);
        let caller = self.get(track, self.field("track", "addr")?)?;
        let signed = |member| self.get_signed(track, self.field("track", member)?);
        if self.locate(caller).is_none() {
            return Ok(None);
        }
        Ok(Some(AllocationSite {
            function: self.symbolize(caller),
            pid: signed("pid")?,
            cpu: signed("cpu")?,
        }))
    }

    fn store_user(&self) -> u64 {
        let bit = self.types().constant("_SLAB_STORE_USER").map(i64::cast_unsigned);
        bit.filter(|bit| *bit < 64).map_or(STORE_USER, |bit| 1 << bit)
    }
}
