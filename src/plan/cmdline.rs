//! The kernel command line.

use vmm::Backend;

use crate::scenario::model::Scenario;

/// What every guest boots with, and why. A scenario's own words come behind these, so that they
/// win wherever the kernel takes the last.
const ALWAYS: [&str; 3] = [
    // Reports are printed at any level, and no guest program may hide them by a lower one.
    "ignore_loglevel",
    // Step markers go through /dev/kmsg; the kernel drops what comes too fast otherwise.
    "printk.devkmsg=on",
    // A panic ends the machine at once instead of a reboot after seconds.
    "panic=-1",
];

/// QEMU's console. Our own machine names its consoles by itself.
const ON_QEMU: [&str; 2] = [
    "console=ttyS0",
    // A panic before the console is up would be lost.
    "earlyprintk=ttyS0,115200",
];

/// What emulation needs: the host may stop a virtual CPU for seconds, which is no fault of the
/// kernel under test.
const EMULATED: [&str; 3] = [
    "rcupdate.rcu_cpu_stall_timeout=60",
    "watchdog_thresh=30",
    // The check of the timer's wiring counts interrupts for 10 ms and panics when there are too
    // few. Kernels leave it out by themselves where they know the hypervisor, which TCG is not.
    "no_timer_check",
];

/// The whole command line for `scenario` on `backend`.
pub fn command_line(scenario: &Scenario, backend: Backend) -> String {
    let mut words = ALWAYS.to_vec();
    if backend != Backend::Kvm {
        words.extend(ON_QEMU);
    }
    if backend == Backend::QemuTcg {
        words.extend(EMULATED);
    }
    if !scenario.machine.cmdline.is_empty() {
        words.push(&scenario.machine.cmdline);
    }
    words.join(" ")
}
