//! The kernel command line.

use guest_image::kernel::{Config, Value};
use vmm::{Backend, Model};

use crate::scenario::model::{Machine, Scenario};

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

/// QEMU's console, and one for a panic before that is up. Our own machine names its consoles by
/// itself.
fn consoles(model: Model) -> &'static [&'static str] {
    match model {
        Model::Pc => &["console=ttyS0", "earlyprintk=ttyS0,115200"],
        // The device tree names the UART.
        Model::Virt => &["console=ttyAMA0", "earlycon"],
        // Here it names the mini-UART, which carries the control channel.
        Model::Raspi3b => {
            &["console=ttyAMA0", "earlycon=pl011,mmio32,0x3f201000", "kharness.control=ttyS1"]
        }
        Model::Raspi4b => {
            &["console=ttyAMA0", "earlycon=pl011,mmio32,0xfe201000", "kharness.control=ttyS1"]
        }
    }
}

/// What emulation needs: the host may stop a virtual CPU for seconds, which is no fault of the
/// kernel under test.
const EMULATED: [&str; 2] = ["rcupdate.rcu_cpu_stall_timeout=60", "watchdog_thresh=30"];

/// What an emulated PC needs besides.
const EMULATED_PC: [&str; 2] = [
    // The check of the timer's wiring counts interrupts for 10 ms and panics when there are too
    // few. Kernels leave it out by themselves where they know the hypervisor, which TCG is not.
    "no_timer_check",
    // Emulated processors read the host's counter, which needs no watching; what watches it finds faults in processors
    // that the host holds up, and says so when a test has ended.
    "tsc=reliable",
];

/// What a kernel with lockdep needs on our own machine: its virtio console allocates memory while it prints, whatever locks
/// are held, and lockdep says so in the middle of another report. The early console goes on instead.
const EARLY_CONSOLE_ONLY: [&str; 2] = ["console=ttynull", "keep_bootcon"];

/// Whether a kernel needs that, and can do it. One whose configuration is not known is not asked to.
fn prints_early_only(config: Option<&Config>) -> bool {
    let built_in = |config: &Config, symbol| *config.get(symbol) == Value::Yes;
    config.is_some_and(|config| built_in(config, "PROVE_LOCKING") && built_in(config, "NULL_TTY"))
}

/// The whole command line for `scenario` on `backend`, of a kernel with this configuration.
pub fn command_line(scenario: &Scenario, backend: Backend, config: Option<&Config>) -> String {
    let model = scenario.machine.model();
    let mut words = ALWAYS.to_vec();
    if backend != Backend::Kvm {
        words.extend(consoles(model));
    } else if prints_early_only(config) {
        words.extend(EARLY_CONSOLE_ONLY);
    }
    if backend == Backend::QemuTcg {
        words.extend(EMULATED);
        words.extend(EMULATED_PC.iter().filter(|_| model == Model::Pc));
    }
    let less = less_than_the_board(&scenario.machine);
    words.extend(less.iter().map(String::as_str));
    if !scenario.machine.cmdline.is_empty() {
        words.push(&scenario.machine.cmdline);
    }
    words.join(" ")
}

/// A board has what it has: a kernel that is to see less of it is told so.
fn less_than_the_board(machine: &Machine) -> Vec<String> {
    let Some(fixed) = machine.model().fixed() else { return Vec::new() };
    let cpus = (machine.cpus < fixed.cpus).then(|| format!("maxcpus={}", machine.cpus));
    let memory = machine.memory.0;
    let memory = (memory < fixed.memory).then(|| format!("mem={}K", memory >> 10));
    cpus.into_iter().chain(memory).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::model::{Arch, Board};
    use crate::scenario::units::Size;

    fn board(cpus: u32, memory: Size) -> Machine {
        let yaml = "{steps: [{shell: 'true'}]}";
        let machine = crate::scenario::built_in("x", yaml).map(|loaded| loaded.scenario.machine);
        let arch = Arch::Aarch64;
        Machine { arch, board: Some(Board::Raspi3b), cpus, memory, ..machine.unwrap() }
    }

    #[test]
    fn a_kernel_with_lockdep_prints_without_memory_where_it_can() {
        let early = |text: &str| prints_early_only(Some(&Config::parse(text)));
        assert!(early("CONFIG_PROVE_LOCKING=y\nCONFIG_NULL_TTY=y\n"));
        assert!(!early("CONFIG_PROVE_LOCKING=y\nCONFIG_NULL_TTY=m\n"));
        assert!(!early("CONFIG_NULL_TTY=y\n") && !prints_early_only(None));
    }

    #[test]
    fn a_kernel_on_a_board_is_told_of_less_but_not_of_all() {
        let less = less_than_the_board(&board(1, Size::mebibytes(256)));
        assert_eq!(less, ["maxcpus=1", "mem=262144K"]);
        assert!(less_than_the_board(&board(4, Size::mebibytes(1024))).is_empty());
    }
}
