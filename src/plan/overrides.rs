//! Parameters of modules that the command line states, over those of the scenarios.

use std::str::FromStr;

use crate::scenario::Loaded;

/// `MODULE.NAME=VALUE`, as the kernel's own command line has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamOverride {
    module: String,
    name: String,
    value: String,
}

impl FromStr for ParamOverride {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').and_then(|(left, value)| {
            let (module, name) = left.split_once('.')?;
            (!module.is_empty() && !name.is_empty()).then_some((module, name, value))
        });
        let Some((module, name, value)) = parts else {
            return Err(format!("`{text}` is not of the form MODULE.NAME=VALUE"));
        };
        Ok(Self { module: module.replace('-', "_"), name: name.into(), value: value.into() })
    }
}

impl std::fmt::Display for ParamOverride {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}={}", self.module, self.name, self.value)
    }
}

/// Sets the parameters in all scenarios that load the module.
///
/// # Errors
/// When none of them loads it: the words were meant for something else.
pub fn override_params(
    scenarios: &mut [Loaded],
    overrides: &[ParamOverride],
) -> Result<(), String> {
    for wanted in overrides {
        let mut used = false;
        for loaded in &mut *scenarios {
            for params in loaded.scenario.params_of(&wanted.module) {
                params.insert(wanted.name.clone(), wanted.value.clone());
                used = true;
            }
        }
        if !used {
            return Err(format!(
                "--param {wanted}: no selected scenario loads a module {}",
                wanted.module
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_names_module_parameter_and_value() {
        let read: ParamOverride = "kh-x.words=a=b.c".parse().unwrap();
        assert_eq!(read.to_string(), "kh_x.words=a=b.c");
        for wrong in ["kh_x", "kh_x.n", "n=1", ".n=1", "kh_x.=1"] {
            assert!(wrong.parse::<ParamOverride>().is_err(), "{wrong}");
        }
    }
}
