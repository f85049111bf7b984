//! What the kernels of a run lack of what its scenarios require of their configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use guest_image::kernel::Kernel;

use super::Test;
use super::requires::{is_met, symbol, unmet_but_config};
use crate::scenario::model::{ConfigNeed, ConfigValue};

/// Scenarios that are named for an option; the others are counted.
const NAMED: usize = 3;

/// What one kernel lacks.
#[derive(Debug, Default)]
pub struct Lacking {
    /// What the kernel was called.
    kernel: String,
    /// By the line that each option should have: what it is now, and the scenarios that need it.
    options: BTreeMap<String, (String, BTreeSet<String>)>,
}

/// What the kernels of `tests` lack; nothing for those that have all. A scenario that is not for the
/// kernel's version or architecture needs nothing of it.
pub fn lacking(tests: &[Test]) -> Vec<Lacking> {
    let mut all: BTreeMap<&str, Lacking> = BTreeMap::new();
    for test in tests {
        let scenario = &test.loaded.scenario;
        if unmet_but_config(scenario, &test.kernel).is_some() {
            continue;
        }
        for need in &scenario.requires.config {
            if let Some(now) = unmet_now(need, &test.kernel) {
                let lacking = all.entry(&test.kernel.source).or_default();
                lacking.kernel.clone_from(&test.kernel.source);
                let option = lacking.options.entry(line(need)).or_insert((now, BTreeSet::new()));
                option.1.insert(test.loaded.id.clone());
            }
        }
    }
    all.into_values().collect()
}

/// What the option is now, when that is not what is needed.
fn unmet_now(need: &ConfigNeed, kernel: &Kernel) -> Option<String> {
    match &kernel.config {
        None => Some("not known".into()),
        Some(config) if is_met(need, config) => None,
        Some(config) => Some(config.get(symbol(&need.name)).to_string()),
    }
}

/// The line of a configuration that meets the need.
fn line(need: &ConfigNeed) -> String {
    let name = format!("CONFIG_{}", symbol(&need.name));
    match &need.value {
        ConfigValue::On => format!("{name}=y"),
        ConfigValue::Off => format!("# {name} is not set"),
        ConfigValue::Is(value) => format!("{name}={value}"),
    }
}

impl Lacking {
    /// Lines to be pasted into the kernel's configuration.
    pub fn fragment(&self) -> String {
        self.options.keys().flat_map(|line| [line, "\n"]).collect()
    }
}

/// For people: each option, what it is, and whom that stops.
impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "the configuration of {} lacks what scenarios require:", self.kernel)?;
        for (line, (now, scenarios)) in &self.options {
            let named: Vec<&str> = scenarios.iter().take(NAMED).map(String::as_str).collect();
            write!(f, "\n  {line} (it is {now}): {}", named.join(", "))?;
            if scenarios.len() > NAMED {
                write!(f, " and {} more", scenarios.len() - NAMED)?;
            }
        }
        write!(f, "\nAdd these lines to its .config, run `make olddefconfig`, and build it again:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_is_written_as_a_configuration_has_it() {
        let written = |text: &str| line(&text.parse().unwrap());
        assert_eq!(written("CONFIG_KASAN"), "CONFIG_KASAN=y");
        assert_eq!(written("CONFIG_PREEMPT_RT=n"), "# CONFIG_PREEMPT_RT is not set");
        assert_eq!(written("CONFIG_HZ=250"), "CONFIG_HZ=250");
    }

    #[test]
    fn people_are_told_whom_it_stops_and_the_fragment_has_only_settings() {
        let scenarios: BTreeSet<String> = ["a", "b", "c", "d", "e"].map(String::from).into();
        let options = BTreeMap::from([("CONFIG_KASAN=y".to_owned(), ("n".to_owned(), scenarios))]);
        let lacking = Lacking { kernel: "linux".into(), options };
        let told = lacking.to_string();
        assert!(told.contains("CONFIG_KASAN=y (it is n): a, b, c and 2 more"), "{told}");
        assert_eq!(lacking.fragment(), "CONFIG_KASAN=y\n");
    }
}
