//! The unified cgroup hierarchy with the counters of its memory controller.
//!
//! Source: include/linux/cgroup-defs.h, include/linux/memcontrol.h, include/linux/page_counter.h.

use std::collections::HashSet;

use serde::Serialize;

use crate::Address;
use crate::kernel::{Error, Kernel, Walk};

/// Cgroups at most; a machine with more has other problems.
const MOST: usize = 1 << 16;
const MAX_NAME: usize = 256;

/// One cgroup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cgroup {
    /// Path below `/sys/fs/cgroup`; `/` is the root.
    pub path: String,
    /// Address of its `struct cgroup`.
    pub address: Address,
    /// The memory controller's counters, where it is enabled; the root has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryCounters>,
}

/// Counters of the memory controller, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryCounters {
    /// Charged now: `memory.current`.
    pub current: u64,
    /// The most that was ever charged: `memory.peak`.
    pub peak: u64,
    /// The limit, `memory.max`; nothing for `max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
}

impl Kernel {
    /// All cgroups of the unified hierarchy, parents before children.
    ///
    /// # Errors
    /// Where this kernel has no cgroups, or not as any known version has them.
    pub fn cgroups(&self) -> Result<Walk<Cgroup>, Error> {
        let own = self.offset("cgroup", "self")?;
        let children = own + self.offset("cgroup_subsys_state", "children")?;
        let sibling = self.offset("cgroup_subsys_state", "sibling")?;
        let root = self.symbols().address("cgrp_dfl_root")?;
        let root = root.wrapping_add(self.offset("cgroup_root", "cgrp")?);
        let mut walk = Walk::default();
        let mut seen = HashSet::new();
        let mut open = vec![(root, String::new())];
        while let Some((at, path)) = open.pop() {
            if !seen.insert(at) || seen.len() > MOST {
                walk.broke(at, "the hierarchy runs into itself, or has too many cgroups");
                break;
            }
            walk.take(at, self.cgroup(at, &path));
            let list = self.list(at.wrapping_add(children), sibling);
            walk.broke_at.extend(list.broke_at);
            for css in list.items.into_iter().rev() {
                let child = css.wrapping_sub(own);
                match self.cgroup_name(child) {
                    Ok(name) => open.push((child, format!("{path}/{name}"))),
                    Err(error) => walk.broke(child, error),
                }
            }
        }
        Ok(walk)
    }

    fn cgroup(&self, at: u64, path: &str) -> Result<Cgroup, Error> {
        let path = if path.is_empty() { "/" } else { path };
        let memory = if path == "/" { None } else { self.memory_counters(at)? };
        Ok(Cgroup { path: path.to_owned(), address: Address(at), memory })
    }

    fn cgroup_name(&self, cgroup: u64) -> Result<String, Error> {
        let node = self.get(cgroup, self.field("cgroup", "kn")?)?;
        let name = self.get(node, self.field("kernfs_node", "name")?)?;
        Ok(self.space().string(name, MAX_NAME)?)
    }

    fn memory_counters(&self, cgroup: u64) -> Result<Option<MemoryCounters>, Error> {
        let Some(index) = self.types().constant("memory_cgrp_id") else {
            return Ok(None);
        };
        let css = self.field("cgroup", &format!("subsys[{index}]"))?;
        let css = self.get(cgroup, css)?;
        if css == 0 {
            return Ok(None);
        }
        let group = css.wrapping_sub(self.offset("mem_cgroup", "css")?);
        let pages = |path| self.get(group, self.field("mem_cgroup", path)?);
        let bytes = |pages: u64| pages.saturating_mul(self.page_size());
        // `PAGE_COUNTER_MAX` is LONG_MAX in pages.
        let unlimited = i64::MAX.cast_unsigned() / self.page_size();
        Ok(Some(MemoryCounters {
            current: bytes(pages("memory.usage.counter")?),
            peak: bytes(pages("memory.watermark")?),
            max: Some(pages("memory.max")?).filter(|max| *max < unlimited).map(bytes),
        }))
    }
}
