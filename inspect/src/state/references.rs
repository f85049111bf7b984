//! Which objects are pointed to: a scan of every word of memory that is in use.

use std::ops::Range;

use super::SlabCache;
use crate::bytes::index;
use crate::kernel::{Error, Kernel};

/// Bytes looked at in one go.
const CHUNK: u64 = 1 << 20;

/// A word that points into an object.
struct Reference {
    /// Physical address of the word.
    at: u64,
    /// Number of the object.
    to: usize,
}

impl Kernel {
    /// Those of `objects` (start and end, ascending, in the direct map) that cannot be reached: no word in
    /// use points into them, but for words of other such objects. Free pages and free slab objects of
    /// `caches` are not in use. Bounded by the size of RAM.
    pub(super) fn unreferenced(
        &self,
        objects: &[(u64, u64)],
        caches: &[SlabCache],
    ) -> Result<Vec<u64>, Error> {
        let offset = self.page_offset()?;
        let mut unused = self.free_memory()?;
        unused.extend(self.left_overs(caches));
        unused.sort_by_key(|range| range.start);
        let slots = Slots::new(caches);
        let mut reached = vec![false; objects.len()];
        let mut inner: Vec<(usize, usize)> = Vec::new();
        for Reference { at, to } in self.references(objects)? {
            let address = offset.wrapping_add(at);
            if is_inside(&unused, at) || slots.is_free(address) {
                continue;
            }
            match object_at(objects, address) {
                Some(from) => inner.push((from, to)),
                None => reached[to] = true,
            }
        }
        spread(&mut reached, inner);
        let starts = objects.iter().map(|(start, _)| *start);
        Ok(starts.zip(reached).filter(|(_, reached)| !reached).map(|(start, _)| start).collect())
    }

    /// Physical memory in use that holds what nobody will read: the part of a sleeping task's stack that
    /// it has returned from, and the sheaves of the slab allocator, whose slots keep what they gave out.
    fn left_overs(&self, caches: &[SlabCache]) -> Vec<Range<u64>> {
        let mut dead = Vec::new();
        for task in self.tasks().map(|walk| walk.items).unwrap_or_default() {
            if !task.on_cpu
                && let Ok(range) = self.returned_stack(task.address.0)
            {
                dead.extend(self.physical(range));
            }
        }
        let cpus = self.possible_cpus().unwrap_or_default();
        for cache in caches {
            let sheaves = self.all_sheaves(cache.address.0, &cpus).unwrap_or_default();
            dead.extend(sheaves.into_iter().flat_map(|sheaf| self.physical(sheaf)));
        }
        dead
    }

    /// The pieces of physical memory behind a range of addresses; what is not mapped is left out.
    fn physical(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let page = self.page_size();
        let mut pieces = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let end = (at | (page - 1)).saturating_add(1).min(range.end);
            if let Ok(physical) = self.space().translate(at) {
                pieces.push(physical..physical.saturating_add(end - at));
            }
            at = end;
        }
        pieces
    }

    fn references(&self, objects: &[(u64, u64)]) -> Result<Vec<Reference>, Error> {
        let (Some((low, _)), Some((_, high))) = (objects.first(), objects.last()) else {
            return Ok(Vec::new());
        };
        let memory = &self.dump().memory;
        let (mut found, mut from, mut chunk) = (Vec::new(), 0, Vec::new());
        while let Some(data) = memory.next_data(from) {
            let start = data.start & !7;
            let end = data.end.min(start.saturating_add(CHUNK));
            chunk.resize(index(end - start), 0);
            memory.read(start, &mut chunk)?;
            for (at, word) in (start..).step_by(8).zip(chunk.chunks_exact(8)) {
                let word = crate::bytes::unsigned(word);
                if (*low..*high).contains(&word)
                    && let Some(to) = object_at(objects, word)
                {
                    found.push(Reference { at, to });
                }
            }
            from = end;
        }
        Ok(found)
    }
}

/// The object that an address lies in.
fn object_at(objects: &[(u64, u64)], address: u64) -> Option<usize> {
    let index = objects.partition_point(|(start, _)| *start <= address).checked_sub(1)?;
    (address < objects[index].1).then_some(index)
}

fn is_inside(ranges: &[Range<u64>], address: u64) -> bool {
    let behind = ranges.partition_point(|range| range.start <= address);
    behind.checked_sub(1).is_some_and(|index| ranges[index].contains(&address))
}

/// What is pointed to from a reached object is reached, too.
fn spread(reached: &mut [bool], inner: Vec<(usize, usize)>) {
    let mut edges = vec![Vec::new(); reached.len()];
    for (from, to) in inner {
        edges[from].push(to);
    }
    let mut open: Vec<usize> = (0..reached.len()).filter(|object| reached[*object]).collect();
    while let Some(from) = open.pop() {
        for to in std::mem::take(&mut edges[from]) {
            if !std::mem::replace(&mut reached[to], true) {
                open.push(to);
            }
        }
    }
}

/// The slots of all slabs.
struct Slots<'a> {
    /// Start, end, and cache of every slab, ascending.
    slabs: Vec<(u64, u64, &'a SlabCache)>,
}

impl<'a> Slots<'a> {
    fn new(caches: &'a [SlabCache]) -> Self {
        let of = |cache: &'a SlabCache| {
            let extents = cache.extents.iter();
            extents.map(move |(start, bytes)| (*start, start.saturating_add(*bytes), cache))
        };
        let mut slabs: Vec<_> = caches.iter().flat_map(of).collect();
        slabs.sort_unstable_by_key(|(start, ..)| *start);
        Self { slabs }
    }

    /// Whether an address is in a slab, but in none of its live objects.
    fn is_free(&self, address: u64) -> bool {
        let behind = self.slabs.partition_point(|(start, ..)| *start <= address);
        let Some((_, end, cache)) = behind.checked_sub(1).map(|index| &self.slabs[index]) else {
            return false;
        };
        let object = cache.objects.partition_point(|object| *object <= address).checked_sub(1);
        let live = object.is_some_and(|index| address - cache.objects[index] < cache.stride);
        address < *end && !live
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_leaked_objects_point_to_is_leaked_and_what_reached_ones_point_to_is_not() {
        let mut reached = [true, false, false, false, false];
        spread(&mut reached, vec![(0, 1), (1, 2), (3, 4), (4, 3)]);
        assert_eq!(reached, [true, true, true, false, false]);
    }

    #[test]
    fn an_address_belongs_to_the_object_that_it_is_inside_of() {
        let objects = [(0x100, 0x140), (0x180, 0x1c0)];
        for (address, want) in
            [(0xff, None), (0x100, Some(0)), (0x13f, Some(0)), (0x140, None), (0x1bf, Some(1))]
        {
            assert_eq!(object_at(&objects, address), want, "{address:#x}");
        }
    }
}
