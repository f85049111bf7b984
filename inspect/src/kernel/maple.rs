//! Walks over maple trees, in which address spaces keep their areas since 6.1.
//!
//! Source: include/linux/maple_tree.h, lib/maple_tree.c. A pointer to a node has its type in bits 3 to 6;
//! what a leaf holds are the entries themselves. Slots behind the node's end may hold anything: the end is
//! where the pivot reaches the node's own maximum.

use std::collections::HashSet;

use super::{Error, Field, Kernel, Walk};

/// Nodes of one tree at most.
const MAX_NODES: usize = 1 << 16;
const NODE_MASK: u64 = !0xff;
const TYPE_SHIFT: u32 = 3;
const TYPE_MASK: u64 = 0xf;
/// `xa_is_node`: an entry of the root that is a node ends with binary 10 and is above 4096.
const IS_NODE: u64 = 2;
const LARGEST_VALUE: u64 = 4096;
/// `enum maple_type`.
const LEAF_64: u64 = 1;
const RANGE_64: u64 = 2;
const ARANGE_64: u64 = 3;

/// The slots and pivots of one type of node.
struct Shape {
    slots: Field,
    pivots: Field,
}

impl Shape {
    fn resolve(kernel: &Kernel, ty: &str) -> Result<Self, Error> {
        Ok(Self { slots: kernel.field(ty, "slot")?, pivots: kernel.field(ty, "pivot")? })
    }
}

impl Kernel {
    /// What the `struct maple_tree` at an address holds, in order.
    ///
    /// # Errors
    /// Where this kernel has no maple trees, or the root cannot be read.
    pub fn maple_tree(&self, tree: u64) -> Result<Walk<u64>, Error> {
        let range = Shape::resolve(self, "maple_range_64")?;
        let arange = Shape::resolve(self, "maple_arange_64")?;
        let root = self.get(tree, self.field("maple_tree", "ma_root")?)?;
        let mut walk = Walk::default();
        if root & 3 != IS_NODE || root <= LARGEST_VALUE {
            // A tree of one entry has it in its root.
            walk.items.extend(Some(root).filter(|root| *root > LARGEST_VALUE && root & 3 == 0));
            return Ok(walk);
        }
        let mut seen = HashSet::new();
        let mut open = vec![(root, u64::MAX)];
        while let Some((node, max)) = open.pop() {
            let at = node & NODE_MASK;
            if !seen.insert(at) || seen.len() > MAX_NODES {
                walk.broke(at, "the tree runs into itself, or has too many nodes");
                break;
            }
            let kind = node >> TYPE_SHIFT & TYPE_MASK;
            let shape = match kind {
                LEAF_64 | RANGE_64 => &range,
                ARANGE_64 => &arange,
                _ => {
                    walk.broke(at, format!("a node of the unknown type {kind}"));
                    continue;
                }
            };
            let children = match self.maple_slots(at, shape, max) {
                Ok(children) => children,
                Err(error) => {
                    walk.broke(at, error);
                    continue;
                }
            };
            if kind == LEAF_64 {
                walk.items.extend(children.into_iter().map(|(entry, _)| entry));
            } else {
                open.extend(children.into_iter().rev());
            }
        }
        Ok(walk)
    }

    /// The slots of a node that hold something, each with the last index that it is for.
    fn maple_slots(&self, node: u64, shape: &Shape, max: u64) -> Result<Vec<(u64, u64)>, Error> {
        let mut slots = Vec::new();
        for index in 0..shape.slots.size / 8 {
            let word = |field: Field| self.space().u64(node.wrapping_add(field.offset + 8 * index));
            let pivot = if index < shape.pivots.size / 8 { word(shape.pivots)? } else { max };
            // A pivot of 0 behind the first slot says that the node's own maximum is meant.
            let last = if pivot == 0 && index > 0 { max } else { pivot };
            slots.extend(Some((word(shape.slots)?, last)).filter(|(entry, _)| *entry != 0));
            if last >= max {
                break;
            }
        }
        Ok(slots)
    }
}
