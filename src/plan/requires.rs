//! What a scenario requires, against the kernel and the machine at hand.

use guest_image::kernel::{Config, Kernel, Value};

use crate::scenario::model::{Arch, Board, ConfigNeed, ConfigValue, Scenario};

/// The first requirement that is not met, in words; `None` when all are.
pub fn unmet(scenario: &Scenario, kernel: &Kernel) -> Option<String> {
    unmet_but_config(scenario, kernel).or_else(|| unmet_config(&scenario.requires.config, kernel))
}

/// The first requirement that is not met, of all but those on the configuration.
pub(super) fn unmet_but_config(scenario: &Scenario, kernel: &Kernel) -> Option<String> {
    let requires = &scenario.requires;
    let machine = &scenario.machine;
    if !requires.arch.is_empty() && !requires.arch.contains(&machine.arch) {
        return Some(format!("it is not for {}", machine.arch));
    }
    let is_on = |board: &Board| board.model() == machine.model();
    if !requires.board.is_empty() && !requires.board.iter().any(is_on) {
        let boards: Vec<String> = requires.board.iter().map(ToString::to_string).collect();
        return Some(format!("it is for {}, this is {}", boards.join(" and "), machine.model()));
    }
    if let Err(lacking) = machine.clone().fit_to_board() {
        return Some(lacking);
    }
    if !machine.disks.is_empty() && !machine.model().takes_disks() {
        return Some(format!("{} has nothing to connect a disk to", machine.model()));
    }
    if machine.nested && machine.arch != Arch::X86_64 {
        return Some(format!("{} guests have no KVM of their own", machine.arch));
    }
    if let Some(cpus) = requires.cpus.filter(|cpus| *cpus > machine.cpus) {
        return Some(format!("it needs {cpus} CPUs, the machine has {}", machine.cpus));
    }
    if let Some(memory) = requires.memory.filter(|memory| *memory > machine.memory) {
        return Some(format!("it needs {memory} of memory, the machine has {}", machine.memory));
    }
    if let Some(need) = &requires.kernel
        && !version(&kernel.release).is_some_and(|version| need.0.matches(&version))
    {
        return Some(format!("it needs a kernel {}, this is {}", need.0, kernel.release));
    }
    None
}

fn unmet_config(needs: &[ConfigNeed], kernel: &Kernel) -> Option<String> {
    if needs.is_empty() {
        return None;
    }
    let Some(config) = &kernel.config else {
        return Some(format!("it needs {}, and the kernel's configuration is not known", needs[0]));
    };
    needs
        .iter()
        .find(|need| !is_met(need, config))
        .map(|need| format!("it needs {need}, the kernel has {}", config.get(symbol(&need.name))))
}

pub(super) fn is_met(need: &ConfigNeed, config: &Config) -> bool {
    let symbol = symbol(&need.name);
    match &need.value {
        ConfigValue::On => config.enabled(symbol),
        ConfigValue::Off => *config.get(symbol) == Value::No,
        ConfigValue::Is(text) => config.get(symbol).to_string() == *text,
    }
}

pub(super) fn symbol(name: &str) -> &str {
    name.strip_prefix("CONFIG_").unwrap_or(name)
}

/// `6.1.0-56-amd64` as 6.1.0: what a distribution appends does not compare.
fn version(release: &str) -> Option<semver::Version> {
    let numbers: Vec<u64> = release
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|part| part.parse().ok())
        .take(3)
        .collect();
    match numbers[..] {
        [major, minor, patch] => Some(semver::Version::new(major, minor, patch)),
        [major, minor] => Some(semver::Version::new(major, minor, 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_distribution_appends_to_a_release_does_not_compare() {
        assert_eq!(version("6.1.0-56-amd64"), Some(semver::Version::new(6, 1, 0)));
        assert_eq!(version("7.3-rc2"), Some(semver::Version::new(7, 3, 0)));
        assert_eq!(version("what"), None);
    }
}
