//! Reaps programs, and the orphans that come to init.

use crate::programs::Programs;
use crate::sys;

/// Reaps for ever. All reaping is done here, so that no two waits race for one child.
pub fn run(programs: &Programs) {
    loop {
        match sys::next_zombie() {
            Ok(pid) => reap(programs, pid),
            // No children at all, so nothing can become an orphan either.
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => programs.wait_for_one(),
            Err(_) => {}
        }
    }
}

/// The lock makes this wait for a program that is just being started.
fn reap(programs: &Programs, pid: i32) {
    let mut table = programs.table();
    let Some(ended) = sys::reap(pid) else {
        return;
    };
    let running = table.values_mut();
    if let Some(program) = running.into_iter().find(|program| program.is_running_as(ended.pid)) {
        program.end(ended);
    }
}
