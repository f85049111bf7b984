//! The members of `memory`.

use std::collections::BTreeSet;

use inspect::Kernel;
use inspect::state::{SlabCache, Task};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Says which view a value is of; expressions have no use for it.
pub(super) const VIEW: &str = "view";

type Read = fn(&Kernel, &BTreeSet<String>) -> Result<Value, inspect::Error>;

/// Every member and what reads it.
const PARTS: [(&str, Read); 14] = [
    ("tasks", tasks),
    ("log", |kernel, _| list(kernel.log()?.items)),
    ("modules", |kernel, _| list(kernel.modules()?.items)),
    ("slabs", |kernel, _| Ok(slabs(kernel.slabs()?.items))),
    ("zones", |kernel, _| list(kernel.zones()?.items)),
    ("run_queues", |kernel, _| list(kernel.run_queues()?.items)),
    ("cgroups", |kernel, _| list(kernel.cgroups()?.items)),
    ("locks", |kernel, _| locks(kernel)),
    ("lock_classes", |kernel, _| list(kernel.lock_classes()?.items)),
    ("timers", |kernel, _| list(kernel.timers()?.items)),
    ("workqueues", |kernel, _| list(kernel.workqueues()?.items)),
    ("sysctl", |kernel, _| sysctls(kernel)),
    ("taint", |kernel, _| Ok(json!(kernel.taint()?.letters))),
    ("release", |kernel, _| Ok(json!(kernel.release()))),
];

/// The members of a view that are in `wanted`: reading all of them takes longer than most tests need.
pub(super) fn read(
    kernel: &Kernel,
    view: &str,
    wanted: &BTreeSet<String>,
) -> Result<Value, String> {
    let mut value = Map::new();
    value.insert(VIEW.to_owned(), json!(view));
    for (name, read) in PARTS.iter().filter(|(name, _)| wanted.contains(*name)) {
        let part = read(kernel, wanted).map_err(|error| format!("memory.{name}: {error}"))?;
        value.insert((*name).to_owned(), part);
    }
    Ok(Value::Object(value))
}

fn list<T: Serialize>(items: Vec<T>) -> Result<Value, inspect::Error> {
    Ok(json!(items))
}

/// Tasks, with their stacks as names of functions, and the areas of their processes, where an expression
/// asks for those.
fn tasks(kernel: &Kernel, wanted: &BTreeSet<String>) -> Result<Value, inspect::Error> {
    let (with_stacks, with_maps) = (wanted.contains("stack"), wanted.contains("maps"));
    let value = |task: Task| {
        let mut value = json!(task);
        if with_stacks {
            value["stack"] = json!(stack(kernel, &task));
        }
        if with_maps {
            value["maps"] =
                json!(kernel.mappings(&task).map_or_else(|_| Vec::new(), |it| it.items));
        }
        value
    };
    Ok(kernel.tasks()?.items.into_iter().map(value).collect())
}

fn stack(kernel: &Kernel, task: &Task) -> Vec<String> {
    let stack = kernel.stack(task.address.0);
    stack.map_or_else(|_| Vec::new(), |stack| stack.functions().map(str::to_owned).collect())
}

/// Values by name; what has no variable of its own is left out.
fn sysctls(kernel: &Kernel) -> Result<Value, inspect::Error> {
    let all = kernel.sysctls()?.items.into_iter().filter(|it| !it.value.is_null());
    Ok(Value::Object(all.map(|it| (it.name, it.value)).collect()))
}

/// Caches by name; merged ones of one name are added up.
fn slabs(caches: Vec<SlabCache>) -> Value {
    let mut all = Map::new();
    for cache in caches {
        let earlier = all.get(&cache.name).cloned().unwrap_or(Value::Null);
        let sum = |member: &str, value: u64| earlier[member].as_u64().unwrap_or(0) + value;
        let value = json!({
            "live": sum("live", cache.live),
            "total": sum("total", cache.total),
            "slabs": sum("slabs", cache.slabs),
            "object_size": cache.object_size,
        });
        all.insert(cache.name, value);
    }
    Value::Object(all)
}

fn locks(kernel: &Kernel) -> Result<Value, inspect::Error> {
    let (locks, _) = kernel.locks()?;
    let held = if kernel.has_lockdep() { kernel.held_locks()?.items } else { Vec::new() };
    Ok(json!({ "waits": locks.waits, "cycles": locks.cycles, "held": held }))
}
