//! Bad memory accesses: `mm/kasan/report.c`, `mm/kfence/report.c`, `mm/kmsan/report.c`.

use serde::Serialize;

use super::text::{after, hex_after, number_after, task};
use crate::Task;

/// An access that was not allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Access {
    /// Whether it was a write.
    pub write: Option<bool>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Its address, as the log shows it.
    pub address: Option<u64>,
    /// The task that made it.
    pub task: Option<Task>,
    /// The heap object at or near the address.
    pub object: Option<Object>,
    /// The thread that allocated the object.
    pub allocated_by: Option<u64>,
    /// The thread that freed it.
    pub freed_by: Option<u64>,
}

/// A heap object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Object {
    /// Its address.
    pub address: Option<u64>,
    /// Its slab cache.
    pub cache: Option<String>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Where the access lies: `0 bytes inside of`, `4 bytes to the right of`.
    pub place: Option<String>,
}

pub(super) fn read(lines: &[&str]) -> Option<Access> {
    let (write, line) = lines.iter().find_map(|line| access_line(line)).unwrap_or((None, ""));
    let access = Access {
        write,
        size: number_after(line, "of size "),
        address: hex_after(line, "at addr ")
            .or_else(|| hex_after(line, "Free of addr "))
            .or_else(|| hex_after(line, " at 0x")),
        task: line.split_once("by task ").and_then(|(_, rest)| task(rest, '/')),
        object: object(lines),
        allocated_by: after(lines, "llocated by task ").and_then(|rest| number_after(rest, "")),
        freed_by: after(lines, "reed by task ").and_then(|rest| number_after(rest, "")),
    };
    (access != Access::default()).then_some(access)
}

/// `Read of size 8 at addr … by task …`; KFENCE: `Use-after-free read at 0x…`.
fn access_line(line: &str) -> Option<(Option<bool>, &str)> {
    if line.starts_with("Free of addr") {
        return Some((None, line));
    }
    let kasan = [("Read ", Some(false)), ("Write ", Some(true)), ("Access ", None)];
    if let Some(&(_, write)) = kasan.iter().find(|(head, _)| {
        line.starts_with(head) && (line.contains("at addr ") || line.contains("of size "))
    }) {
        return Some((write, line));
    }
    let kfence = [" read at 0x", " write at 0x"].iter().position(|mark| line.contains(mark))?;
    Some((Some(kfence == 1), line))
}

fn object(lines: &[&str]) -> Option<Object> {
    let slot = lines.iter().find(|line| line.starts_with("kfence-#"));
    let object = Object {
        address: after(lines, "belongs to the object at ")
            .and_then(|rest| hex_after(rest, ""))
            .or_else(|| slot.and_then(|line| hex_after(line, ": 0x"))),
        cache: after(lines, "belongs to the cache ")
            .or_else(|| slot.and_then(|line| line.split_once("cache=").map(|(_, rest)| rest)))
            .and_then(|rest| rest.split_whitespace().next())
            .map(str::to_owned),
        size: after(lines, "belongs to the cache ")
            .and_then(|rest| number_after(rest, "of size "))
            .or_else(|| slot.and_then(|line| number_after(line, "size="))),
        place: after(lines, "The buggy address is located ").map(|rest| rest.trim().to_owned()),
    };
    (object != Object::default()).then_some(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_is_no_access() {
        let got = read(&["Free of addr ffff8880030c5008 by task sh/48"]).unwrap();
        assert_eq!((got.write, got.task.map(|task| task.pid)), (None, Some(48)));
        let got = read(&["Write of size 1 at addr ffff8880030c5008 by task sh/48"]).unwrap();
        assert_eq!((got.write, got.size), (Some(true), Some(1)));
    }
}
