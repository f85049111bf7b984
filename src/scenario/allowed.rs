//! Shared lists of kernel reports that are known: files with the key `allow` of scenarios, and nothing else.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::load::read;
use super::model::{AllowList, Allowance, Scenario};
use super::parse::parse_as;
use super::problem::{Problem, Problems};
use super::resolve::allowance;
use super::source::Source;
use super::written::AllowKeys;

/// The keys of such a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    allow: Vec<AllowKeys>,
}

/// Adds to `scenario` what the files hold that its `allow` names, relative to `base`.
///
/// # Errors
/// When one is not there, or what is wrong with it.
pub(super) fn add_lists(
    scenario: &mut Scenario,
    source: &Arc<Source>,
    base: &Path,
) -> Result<(), Vec<Problem>> {
    for AllowList { path, place } in std::mem::take(&mut scenario.allow_lists) {
        let path = base.join(path);
        if !path.is_file() {
            let mut problems = Problems::new(Arc::clone(source));
            let message = format!("there is no file {} with known reports", path.display());
            let help = "give its path relative to the scenario file, or an entry: {report: KIND, reason: WHY}";
            problems.add_with_help(place, message, help);
            return problems.or(());
        }
        scenario.allow.extend(load_allowed(&path)?);
    }
    Ok(())
}

/// The entries of the file at `path`.
///
/// # Errors
/// What is wrong with it, as for scenarios.
pub fn load_allowed(path: &Path) -> Result<Vec<Allowance>, Vec<Problem>> {
    let source = Arc::new(read(path).map_err(|problem| vec![*problem])?);
    let keys: Keys = parse_as(&source).map_err(|problem| vec![*problem])?;
    let mut problems = Problems::new(Arc::clone(&source));
    let name = Some(path.display().to_string());
    let entries = keys.allow.into_iter().filter_map(|keys| allowance(keys, &mut problems));
    let entries = entries.map(|entry| Allowance { file: name.clone(), ..entry }).collect();
    problems.or(entries)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn load(text: &str) -> Result<Vec<Allowance>, Vec<Problem>> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        load_allowed(file.path())
    }

    #[test]
    fn entries_are_those_of_scenarios() {
        let text =
            "allow:\n- report: lockdep\n  function: f\n  reason: known\n  until: 2026-01-31\n";
        let entries = load(text).unwrap();
        assert_eq!((entries[0].report.as_str(), entries[0].reason.as_str()), ("lockdep", "known"));
    }

    #[test]
    fn a_reason_is_asked_for_and_other_keys_are_not_known() {
        for text in [
            "allow:\n- report: lockdep\n",
            "allow:\n- {report: lockdep, reason: ''}\n",
            "alow: []\n",
            "allow: []\nsteps: []\n",
        ] {
            assert!(load(text).is_err(), "{text}");
        }
    }
}
