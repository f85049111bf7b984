//! The end of the machine.

use std::path::Path;
use std::process;

use rustix::system::{RebootCommand, reboot};

use crate::{kmsg, sys};

/// Whether this process is the init of a guest, and not under test on somebody's machine.
pub fn is_init() -> bool {
    process::id() == 1
}

/// Kills everything, syncs and switches the machine off. Outside of a guest it only exits.
pub fn off() -> ! {
    if !is_init() {
        process::exit(0);
    }
    sys::kill_all();
    rustix::fs::sync();
    let error = reboot(way_out());
    // A failed init takes the kernel down with a panic, which stops the machine as well.
    kmsg::error(&format!("cannot switch the machine off: {error:?}"));
    process::exit(1)
}

/// Without ACPI an x86 kernel knows no way to switch off and halts for good, which from outside
/// looks like a hang; a restart is seen by every machine.
fn way_out() -> RebootCommand {
    if cfg!(target_arch = "x86_64") && !Path::new("/sys/firmware/acpi").exists() {
        RebootCommand::Restart
    } else {
        RebootCommand::PowerOff
    }
}
