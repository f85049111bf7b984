//! Keeps the agent running, and visible if it stops.

use std::{fs, panic, process};

use rustix::mm::{MlockAllFlags, mlockall};

use crate::{kmsg, sched};

/// Has a panic of the agent stop the machine: the end of init is a kernel panic.
pub fn report_panics() {
    panic::set_hook(Box::new(|panic| {
        kmsg::error(&format!("bug in the agent: {panic}"));
        process::exit(101);
    }));
}

/// Keeps the agent answering while a test eats the guest's memory or CPUs; gives what of that
/// failed, a line each.
pub fn against_guest() -> Vec<String> {
    let locked = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE);
    let results = [
        ("lock its memory", locked.map_err(Into::into)),
        ("set its oom_score_adj", fs::write("/proc/self/oom_score_adj", "-1000")),
        ("raise its priority", sched::rise()),
    ];
    results
        .into_iter()
        .filter_map(|(what, result)| Some(format!("the agent cannot {what}: {}", result.err()?)))
        .collect()
}
