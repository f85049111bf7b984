//! A run that is spread over machines: each takes one part of the tests.

use std::env;
use std::fmt;
use std::str::FromStr;

use super::test::Test;
use crate::results::{PartitionInfo, fnv1a};

/// How tests are dealt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// By a digest of the id: a test stays in its part when others come or go.
    Hash,
    /// In turn: parts are as even as can be.
    Slice,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hash => "hash",
            Self::Slice => "slice",
        })
    }
}

/// One part of the tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    scheme: Scheme,
    /// From 1 to `total`.
    index: u32,
    total: u32,
    /// Variables that said so.
    variables: Option<(&'static str, &'static str)>,
}

/// What the command line says about parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionChoice {
    /// All tests, whatever the environment says.
    None,
    /// This part.
    Part(Partition),
}

/// Where services say which part a job is: variable of the number, what the first one is, variable
/// of the total. The first pair that is there counts.
///
/// GitLab `parallel:`; Buildkite `parallelism:`; CircleCI `parallelism:`; Bazel test sharding; Slurm
/// job arrays; Kubernetes indexed Jobs, whose manifest has to state the total.
const SERVICES: [(&str, u32, &str); 6] = [
    ("CI_NODE_INDEX", 1, "CI_NODE_TOTAL"),
    ("BUILDKITE_PARALLEL_JOB", 0, "BUILDKITE_PARALLEL_JOB_COUNT"),
    ("CIRCLE_NODE_INDEX", 0, "CIRCLE_NODE_TOTAL"),
    ("TEST_SHARD_INDEX", 0, "TEST_TOTAL_SHARDS"),
    ("SLURM_ARRAY_TASK_ID", 0, "SLURM_ARRAY_TASK_COUNT"),
    ("JOB_COMPLETION_INDEX", 0, "KHARNESS_PARTITIONS"),
];

impl PartitionChoice {
    /// The part to run, of what the command line says or else the environment; `None` is all.
    ///
    /// # Errors
    /// When the environment contradicts itself; the words name the variables.
    pub fn resolve(stated: Option<&Self>) -> Result<Option<Partition>, String> {
        match stated {
            Some(Self::None) => Ok(None),
            Some(Self::Part(part)) => Ok(Some(part.clone())),
            None => from_environment(|name| env::var(name).ok()),
        }
    }
}

fn from_environment(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Partition>, String> {
    for (index_name, first, total_name) in SERVICES {
        let (Some(index), Some(total)) = (variable(index_name), variable(total_name)) else {
            continue;
        };
        let first =
            if index_name == "SLURM_ARRAY_TASK_ID" { slurm_first(&variable) } else { first };
        let number = |name, text: &str| {
            text.parse::<u32>().map_err(|_| format!("{name}={text} is not a number"))
        };
        let wrong = || {
            format!(
                "{index_name}={index} is not a part of {total_name}={total}; say \
                 `--partition none` to run everything"
            )
        };
        let index_number = number(index_name, &index)?.checked_sub(first).ok_or_else(wrong)?;
        let total_number = number(total_name, &total)?;
        if index_number >= total_number {
            return Err(wrong());
        }
        if total_number == 1 {
            return Ok(None);
        }
        if let Some(path) = variable("TEST_SHARD_STATUS_FILE") {
            // Bazel takes a test runner that does not touch this file for one that cannot shard.
            std::fs::write(&path, "").map_err(|error| format!("cannot write {path}: {error}"))?;
        }
        return Ok(Some(Partition {
            scheme: Scheme::Slice,
            index: index_number + 1,
            total: total_number,
            variables: Some((index_name, total_name)),
        }));
    }
    Ok(None)
}

/// Array indices of Slurm start where the user says.
fn slurm_first(variable: &impl Fn(&str) -> Option<String>) -> u32 {
    variable("SLURM_ARRAY_TASK_MIN").and_then(|text| text.parse().ok()).unwrap_or(0)
}

impl Partition {
    /// The tests of this part, in their order.
    pub fn take(&self, tests: Vec<Test>) -> Vec<Test> {
        let mine = |place: usize, test: &Test| self.has(place, &test.id);
        let numbered = tests.into_iter().enumerate();
        numbered.filter(|(place, test)| mine(*place, test)).map(|(_, test)| test).collect()
    }

    fn has(&self, place: usize, id: &str) -> bool {
        let number = match self.scheme {
            Scheme::Hash => fnv1a(id.as_bytes()) % u64::from(self.total),
            Scheme::Slice => place as u64 % u64::from(self.total),
        };
        number == u64::from(self.index - 1)
    }

    /// As results record it.
    pub fn info(&self) -> PartitionInfo {
        PartitionInfo { scheme: self.scheme.to_string(), index: self.index, total: self.total }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.scheme, self.index, self.total)?;
        match self.variables {
            Some((index, total)) => write!(f, ", as {index} and {total} say"),
            None => Ok(()),
        }
    }
}

impl FromStr for PartitionChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        let wrong = || format!("`{text}` is not a part: write hash:1/4, slice:1/4, or none");
        let (scheme, part) = text.split_once(':').ok_or_else(wrong)?;
        let scheme = match scheme {
            "hash" => Scheme::Hash,
            "slice" => Scheme::Slice,
            _ => return Err(wrong()),
        };
        let (index, total) = part.split_once('/').ok_or_else(wrong)?;
        let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
        let (index, total) = (number(index)?, number(total)?);
        if !(1..=total).contains(&index) {
            return Err(format!("`{text}`: the part must be from 1 to {total}"));
        }
        Ok(Self::Part(Partition { scheme, index, total, variables: None }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(text: &str) -> Partition {
        match text.parse().unwrap() {
            PartitionChoice::Part(part) => part,
            PartitionChoice::None => panic!("{text}"),
        }
    }

    fn said(variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let find = |name: &str| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        };
        from_environment(find).map(|part| part.map(|part| part.to_string()))
    }

    proptest! {
        #[test]
        fn every_test_is_in_exactly_one_part(
            ids in prop::collection::hash_set("[a-z/#0-9]{1,12}", 0..60),
            total in 1u32..9,
            scheme in prop::sample::select(vec!["hash", "slice"]),
        ) {
            for (place, id) in ids.iter().enumerate() {
                let has = |index: &u32| part(&format!("{scheme}:{index}/{total}")).has(place, id);
                prop_assert_eq!((1..=total).filter(has).count(), 1);
            }
        }
    }

    #[test]
    fn a_part_that_does_not_exist_is_refused() {
        for text in ["hash:0/4", "hash:5/4", "hash:1/0", "deal:1/2", "1/2", "hash:1", "hash:-1/2"] {
            assert!(text.parse::<PartitionChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_service_counts_in_its_own_way() {
        let first = |pairs: &[(&str, &str)]| said(pairs).unwrap().unwrap();
        for (index, value, total) in [
            ("CI_NODE_INDEX", "1", "CI_NODE_TOTAL"),
            ("BUILDKITE_PARALLEL_JOB", "0", "BUILDKITE_PARALLEL_JOB_COUNT"),
            ("CIRCLE_NODE_INDEX", "0", "CIRCLE_NODE_TOTAL"),
            ("TEST_SHARD_INDEX", "0", "TEST_TOTAL_SHARDS"),
            ("SLURM_ARRAY_TASK_ID", "0", "SLURM_ARRAY_TASK_COUNT"),
            ("JOB_COMPLETION_INDEX", "0", "KHARNESS_PARTITIONS"),
        ] {
            let told = first(&[(index, value), (total, "4")]);
            assert_eq!(told, format!("slice:1/4, as {index} and {total} say"));
        }
    }

    #[test]
    fn an_array_of_slurm_may_start_anywhere() {
        let told = said(&[
            ("SLURM_ARRAY_TASK_ID", "7"),
            ("SLURM_ARRAY_TASK_MIN", "5"),
            ("SLURM_ARRAY_TASK_COUNT", "4"),
        ]);
        assert!(told.unwrap().unwrap().starts_with("slice:3/4"));
    }

    #[test]
    fn an_environment_that_contradicts_itself_is_refused_and_one_job_is_the_whole() {
        let told = said(&[("CI_NODE_INDEX", "5"), ("CI_NODE_TOTAL", "4")]).unwrap_err();
        assert!(told.contains("CI_NODE_INDEX=5") && told.contains("--partition none"), "{told}");
        assert!(said(&[("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "4")]).is_err());
        assert_eq!(said(&[("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "1")]), Ok(None));
        assert_eq!(said(&[("CI_NODE_INDEX", "1")]), Ok(None));
        assert!(said(&[("SLURM_ARRAY_TASK_ID", "x"), ("SLURM_ARRAY_TASK_COUNT", "2")]).is_err());
    }
}
