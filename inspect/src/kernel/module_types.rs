//! Types that only a module defines, from the copy of its BTF that the kernel keeps.
//!
//! Source: kernel/bpf/btf.c, `struct btf_module` on the list `btf_modules`.

use std::sync::Arc;

use super::{Broke, Error, Kernel, Walk};
use crate::types::Btf;

/// The BTF of one module at most; that of the largest drivers is some 2 MiB.
const MAX_MODULE: u64 = 32 << 20;

impl Kernel {
    /// Adds the types of all modules to the kernel's own. Gives where that could not be done: types of a
    /// damaged module must not cost the kernel's.
    pub(super) fn add_module_types(&mut self) -> Vec<Broke> {
        let Some(head) = self.symbols().find("btf_modules") else {
            return Vec::new();
        };
        let Ok(link) = self.offset("btf_module", "list") else {
            return Vec::new();
        };
        let list = self.list(head, link);
        let mut walk = Walk::<()> { items: Vec::new(), broke_at: list.broke_at };
        for entry in list.items {
            let types = self
                .module_btf(entry)
                .and_then(|data| Ok(Arc::new(Btf::parse(data, Some(Arc::clone(self.types())))?)));
            match types {
                Ok(types) => self.set_types(types),
                Err(error) => walk.broke(entry, error),
            }
        }
        walk.broke_at
    }

    fn module_btf(&self, entry: u64) -> Result<Vec<u8>, Error> {
        let btf = self.get(entry, self.field("btf_module", "btf")?)?;
        let data = self.get(btf, self.field("btf", "data")?)?;
        let size = self.get(btf, self.field("btf", "data_size")?)?.min(MAX_MODULE);
        Ok(self.space().bytes(data, crate::bytes::index(size))?)
    }
}
