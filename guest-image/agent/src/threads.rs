//! The agent's threads.

use std::io;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use crate::{power, sched};

/// Enough for every thread here; all stacks stay resident.
const STACK: usize = 128 << 10;

/// Starts a thread that nobody waits for.
pub fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    builder(name).spawn(|| ready(work)).map(drop)
}

/// Starts a thread inside `scope`.
pub fn start_scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    builder(name).spawn_scoped(scope, || ready(work))
}

fn builder(name: &str) -> Builder {
    Builder::new().name(name.to_owned()).stack_size(STACK)
}

/// New threads start without the agent's priority: see [`sched::rise`].
fn ready<T>(work: impl FnOnce() -> T) -> T {
    if power::is_init() {
        let _ = sched::rise();
    }
    work()
}
