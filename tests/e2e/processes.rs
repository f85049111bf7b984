//! The machines of a run, found by its directory in their command lines.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Ids of the QEMU processes whose command line names `dir`.
pub fn machines(dir: &Path) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| is_machine(*id, dir)).collect()
}

/// A zombie has no command line any more, and holds nothing.
fn is_machine(id: u32, dir: &Path) -> bool {
    let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    let program = line.split('\0').next().unwrap_or_default();
    program.contains("qemu-system") && line.contains(dir.to_str().unwrap())
}

/// Waits until `holds`; gives whether it does within `patience`.
pub fn wait_until(patience: Duration, holds: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !holds() {
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(10));
    }
    true
}
