//! The address space of a process: its areas, what of them is mapped, and the page tables behind them.
//!
//! Source: include/linux/mm_types.h, `struct vm_area_struct`; lib/maple_tree.c since 6.1, a list before.

use serde::Serialize;

use super::Task;
use crate::Address;
use crate::kernel::{Error, Field, Kernel, Walk};
use crate::memory::{AddressSpace, Mapped};

/// Steps through the page tables of one process at most; each is a page, or a table that is not there.
const MAX_STEPS: usize = 1 << 22;
/// Directories above a file at most.
const MAX_DEPTH: usize = 64;
const MAX_NAME: usize = 256;

/// Bits of `vm_flags` that `/proc/PID/maps` shows, include/linux/mm.h.
const READ: u64 = 1;
const WRITE: u64 = 2;
const EXEC: u64 = 4;
const SHARED: u64 = 8;

/// One area of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mapping {
    /// First address.
    pub start: Address,
    /// The address behind the last.
    pub end: Address,
    /// As `/proc/PID/maps` has them: `rw-p`.
    pub permissions: String,
    /// Offset in the file, in bytes.
    pub offset: Address,
    /// Path of the file; nothing for anonymous memory. One that was removed is there with its last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Bytes that page tables map to memory now, in KiB.
    pub mapped_kib: u64,
    /// Address of its `struct vm_area_struct`.
    pub address: Address,
}

/// Members of `vm_area_struct` as this kernel has them.
struct Fields {
    start: Field,
    end: Field,
    flags: Field,
    page_offset: Field,
    file: Field,
}

impl Fields {
    fn resolve(kernel: &Kernel) -> Result<Self, Error> {
        let field = |path| kernel.field("vm_area_struct", path);
        Ok(Self {
            start: field("vm_start")?,
            end: field("vm_end")?,
            flags: field("vm_flags")?,
            page_offset: field("vm_pgoff")?,
            file: field("vm_file")?,
        })
    }
}

impl Kernel {
    /// The areas of the process that `task` is of, by address; none for a kernel thread.
    ///
    /// # Errors
    /// Where this kernel's address spaces are not what any known version has.
    pub fn mappings(&self, task: &Task) -> Result<Walk<Mapping>, Error> {
        let mm = self.get(task.address.0, self.field("task_struct", "mm")?)?;
        if mm == 0 {
            return Ok(Walk::default());
        }
        let fields = Fields::resolve(self)?;
        let space = self.process_space(mm)?;
        let mut budget = MAX_STEPS;
        Ok(self.areas(mm)?.then(|at, walk| {
            let mapping = self.mapping(&fields, &space, at, &mut budget);
            walk.take(at, mapping);
        }))
    }

    /// The page tables of a process.
    fn process_space(&self, mm: u64) -> Result<AddressSpace, Error> {
        let table = self.get(mm, self.field("mm_struct", "pgd")?)?;
        Ok(self.space().of_process(self.space().translate(table)?))
    }

    /// Addresses of the `vm_area_struct`s of an address space.
    fn areas(&self, mm: u64) -> Result<Walk<u64>, Error> {
        match self.field("mm_struct", "mm_mt") {
            Ok(tree) => Ok(self.maple_tree(mm.wrapping_add(tree.offset))?),
            Err(_) => {
                let first = self.get(mm, self.field("mm_struct", "mmap")?)?;
                let next = self.offset("vm_area_struct", "vm_next")?;
                Ok(self.chain(if first == 0 { 0 } else { first.wrapping_add(next) }, next))
            }
        }
    }

    fn mapping(
        &self,
        fields: &Fields,
        space: &AddressSpace,
        at: u64,
        budget: &mut usize,
    ) -> Result<Mapping, Error> {
        let get = |field| self.get(at, field);
        let (start, end) = (get(fields.start)?, get(fields.end)?);
        let file = get(fields.file)?;
        let mut mapped = 0_u64;
        for Mapped { length, .. } in space.mapped(start..end, budget) {
            mapped = mapped.saturating_add(length);
        }
        if *budget == 0 {
            let reason = format!("page tables map more than {MAX_STEPS} pages and gaps");
            return Err(Error::Question(reason));
        }
        Ok(Mapping {
            start: Address(start),
            end: Address(end),
            permissions: permissions(get(fields.flags)?),
            // Of anonymous memory the offset is the address itself; /proc shows 0.
            offset: Address(if file == 0 {
                0
            } else {
                get(fields.page_offset)?.wrapping_mul(self.page_size())
            }),
            file: if file == 0 { None } else { Some(self.path_of(file)?) },
            mapped_kib: mapped >> 10,
            address: Address(at),
        })
    }

    /// The path of a `struct file`, through the mounts that it is below.
    fn path_of(&self, file: u64) -> Result<String, Error> {
        let path = |part| self.get(file, self.field("file", part)?);
        let (mut entry, mount) = (path("f_path.dentry")?, path("f_path.mnt")?);
        let in_mount = self.offset("mount", "mnt")?;
        let root = self.field("mount", "mnt.mnt_root")?;
        let (above, point) =
            (self.field("mount", "mnt_parent")?, self.field("mount", "mnt_mountpoint")?);
        let (parent, name) =
            (self.field("dentry", "d_parent")?, self.field("dentry", "d_name.name")?);
        let mut mount = mount.wrapping_sub(in_mount);
        let mut names = Vec::new();
        for _ in 0..MAX_DEPTH {
            let next = self.get(entry, parent)?;
            if entry == self.get(mount, root)? || next == entry {
                let outer = self.get(mount, above)?;
                if outer == mount {
                    break;
                }
                (entry, mount) = (self.get(mount, point)?, outer);
                continue;
            }
            names.push(self.space().string(self.get(entry, name)?, MAX_NAME)?);
            entry = next;
        }
        names.reverse();
        Ok(format!("/{}", names.join("/")))
    }
}

fn permissions(flags: u64) -> String {
    [(READ, 'r', '-'), (WRITE, 'w', '-'), (EXEC, 'x', '-'), (SHARED, 's', 'p')]
        .map(|(bit, set, clear)| if flags & bit != 0 { set } else { clear })
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_those_of_proc() {
        assert_eq!(permissions(READ | WRITE), "rw-p");
        assert_eq!(permissions(READ | EXEC | SHARED), "r-xs");
    }
}
