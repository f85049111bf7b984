//! Walks over red-black trees, bounded as those over lists are.
//!
//! Source: include/linux/rbtree_types.h, `struct rb_node`.

use std::collections::HashSet;

use super::{Error, Field, Kernel, Walk};

/// Nodes of one tree at most.
const MAX_NODES: usize = 1 << 20;

impl Kernel {
    /// The nodes of the red-black tree whose top node is at `top` (0 for an empty one), in order.
    ///
    /// # Errors
    /// Where this kernel has no `struct rb_node`.
    pub fn rb_tree(&self, top: u64) -> Result<Walk<u64>, Error> {
        let links = Links {
            left: self.field("rb_node", "rb_left")?,
            right: self.field("rb_node", "rb_right")?,
        };
        let mut walk = Walk::default();
        let mut seen = HashSet::new();
        let mut above = Vec::new();
        let mut at = top;
        while at != 0 || !above.is_empty() {
            // Left as far as it goes; then the node itself, and what is right of it.
            while at != 0 {
                if !seen.insert(at) || seen.len() > MAX_NODES {
                    walk.broke(at, "the tree runs into itself, or has too many nodes");
                    return Ok(walk);
                }
                above.push(at);
                at = self.link(at, links.left, &mut walk);
            }
            if let Some(node) = above.pop() {
                walk.items.push(node);
                at = self.link(node, links.right, &mut walk);
            }
        }
        Ok(walk)
    }

    /// The node that a link leads to; none where it cannot be read.
    fn link(&self, node: u64, link: Field, walk: &mut Walk<u64>) -> u64 {
        self.get(node, link).unwrap_or_else(|error| {
            walk.broke(node, error);
            0
        })
    }
}

struct Links {
    left: Field,
    right: Field,
}
