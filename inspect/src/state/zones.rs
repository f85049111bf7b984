//! Memory zones and the free lists of the buddy allocator.

use std::ops::Range;

use serde::Serialize;

use crate::Address;
use crate::kernel::{Error, Kernel, Walk};

const PAGE_KIB: u64 = 4;
/// `MAX_NUMNODES` of distribution kernels is 1024; zones a node: `MAX_NR_ZONES` is 6 at most.
const MAX_NODES: u64 = 1024;
const MAX_ZONES: u64 = 8;

/// Free blocks of one size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FreeArea {
    /// log2 of the block's size in pages.
    pub order: u64,
    /// Blocks, as the kernel counts them.
    pub blocks: u64,
    /// Blocks that are on the lists; a difference means corruption, or a stop in the middle of an update.
    pub listed: u64,
}

/// One memory zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Zone {
    /// NUMA node.
    pub node: u64,
    /// Name: `DMA`, `DMA32`, `Normal`, `Movable`.
    pub name: String,
    /// Address of its `struct zone`.
    pub address: Address,
    /// Pages that the buddy allocator manages.
    pub managed_pages: u64,
    /// Pages that are present.
    pub present_pages: u64,
    /// Free memory in KiB: the sum over `free`.
    pub free_kib: u64,
    /// Free blocks by order, 0 first.
    pub free: Vec<FreeArea>,
}

impl Kernel {
    /// The zones that manage any pages, by node.
    ///
    /// # Errors
    /// Where this kernel's `struct zone` is not what any known version has.
    pub fn zones(&self) -> Result<Walk<Zone>, Error> {
        let mut walk = Walk::default();
        let zone_size = self.size_of("zone")?;
        let zones = self.offset("pglist_data", "node_zones")?;
        for (node, data) in self.nodes()? {
            let count = self.get(data, self.field("pglist_data", "nr_zones")?)?;
            for index in 0..count.min(MAX_ZONES) {
                let at = data.wrapping_add(zones).wrapping_add(index * zone_size);
                self.take_zone(&mut walk, node, at);
            }
        }
        Ok(walk)
    }

    fn take_zone(&self, walk: &mut Walk<Zone>, node: u64, at: u64) {
        match self.zone(node, at) {
            Ok(zone) if zone.items.iter().all(|zone| zone.present_pages == 0) => {}
            Ok(zone) => {
                walk.items.extend(zone.items);
                walk.broke_at.extend(zone.broke_at);
            }
            Err(error) => walk.broke(at, error),
        }
    }

    /// `pglist_data` of each node: `node_data[]`, or `contig_page_data` without NUMA.
    fn nodes(&self) -> Result<Vec<(u64, u64)>, Error> {
        let Some(table) = self.symbols().find("node_data") else {
            return Ok(vec![(0, self.symbols().address("contig_page_data")?)]);
        };
        let count = match self.symbols().find("nr_node_ids") {
            Some(at) => u64::from(self.space().u32(at)?).clamp(1, MAX_NODES),
            None => 1,
        };
        let mut nodes = Vec::new();
        for node in 0..count {
            let data = self.space().u64(table.wrapping_add(8 * node))?;
            if data != 0 {
                nodes.push((node, data));
            }
        }
        Ok(nodes)
    }

    fn zone(&self, node: u64, at: u64) -> Result<Walk<Zone>, Error> {
        let field = |path| self.field("zone", path);
        let areas = self.free_areas(at)?;
        let free_kib = areas.items.iter().fold(0_u64, |sum, area| {
            sum.saturating_add(area.blocks.saturating_mul(PAGE_KIB << area.order))
        });
        let zone = Zone {
            node,
            name: self.text_at(at, field("name")?)?,
            address: Address(at),
            managed_pages: self.get(at, field("managed_pages.counter")?)?,
            present_pages: self.get(at, field("present_pages")?)?,
            free_kib,
            free: areas.items,
        };
        Ok(Walk { items: vec![zone], broke_at: areas.broke_at })
    }

    fn free_areas(&self, zone: u64) -> Result<Walk<FreeArea>, Error> {
        let mut walk = Walk::default();
        for list in self.free_lists(zone)? {
            let listed = list.pages.items.len() as u64;
            walk.broke_at.extend(list.pages.broke_at);
            walk.items.push(FreeArea { order: list.order, blocks: list.blocks, listed });
        }
        Ok(walk)
    }

    fn free_lists(&self, zone: u64) -> Result<Vec<FreeList>, Error> {
        let area_size = self.size_of("free_area")?.max(1);
        let areas = self.field("zone", "free_area")?;
        let count = self.field("free_area", "nr_free")?;
        let lists = self.field("free_area", "free_list")?;
        let list_head = self.size_of("list_head")?.max(1);
        let link = self.field_any(&[("page", "buddy_list"), ("page", "lru")])?.offset;
        let mut all = Vec::new();
        for order in 0..(areas.size / area_size).min(32) {
            let at = zone.wrapping_add(areas.offset).wrapping_add(order * area_size);
            let mut pages = Walk::default();
            for kind in 0..lists.size / list_head {
                let head = at.wrapping_add(lists.offset).wrapping_add(kind * list_head);
                let of_kind = self.list(head, link);
                pages.items.extend(of_kind.items);
                pages.broke_at.extend(of_kind.broke_at);
            }
            all.push(FreeList { order, blocks: self.get(at, count)?, pages });
        }
        Ok(all)
    }

    /// Physical memory that the buddy allocator has free, ascending.
    pub(super) fn free_memory(&self) -> Result<Vec<Range<u64>>, Error> {
        let array = self.page_array()?;
        let page_size = self.page_size();
        let mut free = Vec::new();
        for zone in self.zones()?.items {
            for list in self.free_lists(zone.address.0)? {
                free.extend(list.pages.items.into_iter().filter_map(|page| {
                    let start = array.frame(page)?.wrapping_mul(page_size);
                    Some(start..start.saturating_add(page_size << list.order))
                }));
            }
        }
        free.sort_by_key(|range| range.start);
        Ok(free)
    }
}

/// The free blocks of one order.
struct FreeList {
    order: u64,
    /// Blocks, as the kernel counts them.
    blocks: u64,
    /// The first `struct page` of each block.
    pages: Walk<u64>,
}
