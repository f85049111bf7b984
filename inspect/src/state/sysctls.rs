//! Sysctl values, as `/proc/sys` has them.
//!
//! Source: fs/proc/proc_sysctl.c; include/linux/sysctl.h, `struct ctl_table_header`. Directories are
//! red-black trees of entries; what a namespace has of its own is in a tree of its own.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Value, json};

use crate::Address;
use crate::kernel::{Error, Field, Kernel, Walk};

/// Directories at most; a big host has a few thousand, of its network devices.
const MAX_DIRECTORIES: usize = 1 << 16;
/// Bytes of one value at most.
const MAX_VALUE: u64 = 4096;
const MAX_NAME: usize = 256;
const S_IFMT: u64 = 0o170_000;
const S_IFDIR: u64 = 0o040_000;
const S_IFLNK: u64 = 0o120_000;

/// One sysctl.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sysctl {
    /// Name with dots, as sysctl(8) takes it: `kernel.panic`.
    pub name: String,
    /// A number, a list of numbers, or a text; nothing where it has no variable of its own, or cannot be
    /// read.
    pub value: Value,
    /// The function that `/proc/sys` calls for it. One that is not of the kernel's common ones may show the
    /// variable in another unit.
    pub handler: String,
    /// Whether the handler is a common one, so that the value is what `/proc/sys` shows.
    pub exact: bool,
    /// Address of the variable.
    pub address: Address,
}

/// How a handler shows its variable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Signed,
    Unsigned,
    Long,
    Byte,
    /// One byte, whatever length is stated.
    Bool,
}

/// Handlers that show the variable as it is: those of kernel/sysctl.c, and some that only do more on a write.
const HANDLERS: [(&str, Form); 15] = [
    ("proc_dostring", Form::Text),
    ("proc_dointvec", Form::Signed),
    ("proc_dointvec_minmax", Form::Signed),
    ("proc_douintvec", Form::Unsigned),
    ("proc_douintvec_minmax", Form::Unsigned),
    ("proc_doulongvec_minmax", Form::Long),
    ("proc_dou8vec_minmax", Form::Byte),
    ("proc_dobool", Form::Bool),
    ("proc_dointvec_minmax_warn_RT_change", Form::Signed),
    ("proc_do_uts_string", Form::Text),
    ("proc_dostring_coredump", Form::Text),
    ("devkmsg_sysctl_set_loglvl", Form::Text),
    ("sched_rt_handler", Form::Signed),
    ("timer_migration_handler", Form::Signed),
    ("proc_dohung_task_timeout_secs", Form::Long),
];

/// Where the parts of a directory and of an entry are.
struct Fields {
    top: Field,
    node_header: Field,
    nodes: Field,
    table: Field,
    node_size: u64,
    entry_size: u64,
    name: Field,
    data: Field,
    length: Field,
    mode: Field,
    handler: Field,
}

impl Fields {
    fn resolve(kernel: &Kernel) -> Result<Self, Error> {
        let entry = |path| kernel.field("ctl_table", path);
        Ok(Self {
            top: kernel.field("ctl_dir", "root.rb_node")?,
            node_header: kernel.field("ctl_node", "header")?,
            nodes: kernel.field("ctl_table_header", "node")?,
            table: kernel.field("ctl_table_header", "ctl_table")?,
            node_size: kernel.size_of("ctl_node")?.max(1),
            entry_size: kernel.size_of("ctl_table")?.max(1),
            name: entry("procname")?,
            data: entry("data")?,
            length: entry("maxlen")?,
            mode: entry("mode")?,
            handler: entry("proc_handler")?,
        })
    }

    /// The entry of a node: the n-th of a directory's nodes is that of the n-th entry of its table.
    fn entry(&self, kernel: &Kernel, node: u64) -> Result<(u64, u64), Error> {
        let header = kernel.get(node, self.node_header)?;
        let nodes = kernel.get(header, self.nodes)?;
        let index = node.wrapping_sub(nodes) / self.node_size;
        let table = kernel.get(header, self.table)?;
        Ok((header, table.wrapping_add(index.wrapping_mul(self.entry_size))))
    }
}

impl Kernel {
    /// All sysctls that the first process sees, by name.
    ///
    /// # Errors
    /// Where this kernel has no sysctls, or not as any known version has them.
    pub fn sysctls(&self) -> Result<Walk<Sysctl>, Error> {
        let fields = Fields::resolve(self)?;
        let mut walk = Walk::default();
        let mut seen = HashSet::new();
        let mut open: Vec<(u64, String)> =
            self.sysctl_roots()?.into_iter().map(|at| (at, String::new())).collect();
        while let Some((directory, path)) = open.pop() {
            if !seen.insert(directory) || seen.len() > MAX_DIRECTORIES {
                walk.broke(directory, "directories run into each other, or are too many");
                break;
            }
            let nodes = self.get(directory, fields.top).and_then(|top| self.rb_tree(top));
            let nodes = match nodes {
                Ok(nodes) => nodes,
                Err(error) => {
                    walk.broke(directory, error);
                    continue;
                }
            };
            walk.broke_at.extend(nodes.broke_at);
            for node in nodes.items {
                match self.sysctl_at(&fields, node, &path) {
                    Ok(Found::Directory(at, path)) => open.push((at, path)),
                    Ok(Found::Value(sysctl)) => walk.items.push(sysctl),
                    Ok(Found::Link) => {}
                    Err(error) => walk.broke(node, error),
                }
            }
        }
        walk.items.sort_by(|a, b| a.name.cmp(&b.name));
        walk.items.dedup_by(|a, b| a.name == b.name);
        Ok(walk)
    }

    /// The global directory, and those of the first namespaces.
    fn sysctl_roots(&self) -> Result<Vec<u64>, Error> {
        let directory = self.offset("ctl_table_set", "dir")?;
        let root = self.symbols().address("sysctl_table_root")?;
        let mut all =
            vec![root.wrapping_add(self.offset("ctl_table_root", "default_set")? + directory)];
        for (symbol, ty, member) in [
            ("init_net", "net", "sysctls"),
            ("init_user_ns", "user_namespace", "set"),
            ("init_ipc_ns", "ipc_namespace", "ipc_set"),
            ("init_ipc_ns", "ipc_namespace", "mq_set"),
        ] {
            // Not every version keeps each of them apart.
            let of = self.symbols().find(symbol).zip(self.offset(ty, member).ok());
            all.extend(of.map(|(at, offset)| at.wrapping_add(offset + directory)));
        }
        Ok(all)
    }

    fn sysctl_at(&self, fields: &Fields, node: u64, path: &str) -> Result<Found, Error> {
        let (header, entry) = fields.entry(self, node)?;
        let name = self.space().string(self.get(entry, fields.name)?, MAX_NAME)?;
        let dot = if path.is_empty() { "" } else { "." };
        let name = format!("{path}{dot}{name}");
        match self.get(entry, fields.mode)? & S_IFMT {
            // The header is the first member of a `struct ctl_dir`.
            S_IFDIR => return Ok(Found::Directory(header, name)),
            S_IFLNK => return Ok(Found::Link),
            _ => {}
        }
        let data = self.get(entry, fields.data)?;
        let length = self.get(entry, fields.length)?.min(MAX_VALUE);
        let handler = self.symbolize(self.get(entry, fields.handler)?);
        let form = HANDLERS.iter().find(|(name, _)| *name == handler).map(|(_, form)| *form);
        let value = match data {
            0 => Value::Null,
            _ => self.sysctl_value(data, length, form).unwrap_or(Value::Null),
        };
        let exact = form.is_some() && !value.is_null();
        Ok(Found::Value(Sysctl { name, value, handler, exact, address: Address(data) }))
    }

    fn sysctl_value(&self, data: u64, length: u64, form: Option<Form>) -> Result<Value, Error> {
        let form = form.unwrap_or(match length {
            1 => Form::Byte,
            8 => Form::Long,
            _ => Form::Signed,
        });
        if form == Form::Text {
            let bytes = self.space().bytes(data, crate::bytes::index(length))?;
            let end = memchr::memchr(0, &bytes).unwrap_or(bytes.len());
            return Ok(json!(String::from_utf8_lossy(&bytes[..end])));
        }
        let width = match form {
            Form::Long => 8,
            Form::Byte | Form::Bool => 1,
            _ => 4,
        };
        let length = if form == Form::Bool { length.min(1) } else { length };
        let bytes = self.space().bytes(data, crate::bytes::index(length / width * width))?;
        let number = |bytes: &[u8]| match (form, crate::bytes::unsigned(bytes)) {
            (Form::Signed, value) => json!(crate::bytes::sign_extend(value, 32)),
            (_, value) => json!(value),
        };
        let mut numbers: Vec<Value> =
            bytes.chunks_exact(crate::bytes::index(width)).map(number).collect();
        Ok(if numbers.len() == 1 { numbers.remove(0) } else { Value::Array(numbers) })
    }
}

/// What an entry of a directory is.
enum Found {
    Directory(u64, String),
    Value(Sysctl),
    /// To the tree of a namespace, which is read by itself.
    Link,
}
