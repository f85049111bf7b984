//! Joins the parts of a run that was spread over machines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::model::{Document, KernelInfo, PartitionInfo, SCHEMA, TestResult};

/// Parts joined.
#[derive(Debug)]
pub struct Merged {
    /// The whole.
    pub document: Document,
    /// What is not there, each in words: parts, and tests of parts that did not end.
    pub missing: Vec<String>,
    /// What was left out, each in words: parts that were handed in twice.
    pub superseded: Vec<String>,
}

/// Why documents are not parts of one run.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// There is nothing to join.
    #[error("nothing to merge: name the results of the parts, or a directory of them")]
    Nothing,
    /// They were made from different selections of tests.
    #[error(
        "{first} and {other} are not parts of one run: the tests that were selected differ; run \
         all parts with the same scenarios and options"
    )]
    Plans {
        /// A run.
        first: String,
        /// One that does not fit.
        other: String,
    },
    /// They were cut in different ways.
    #[error("{first} is {one} and {other} is {two}: cut all parts of a run in the same way")]
    Cuts {
        /// A run.
        first: String,
        /// Its part.
        one: String,
        /// One that does not fit.
        other: String,
        /// Its part.
        two: String,
    },
}

/// Joins `parts`. Every test counts once: of a part that is there twice, as when a node died and
/// its job was started again, the one that got furthest counts.
///
/// # Errors
/// When they are not parts of one run.
pub fn merge(parts: Vec<Document>) -> Result<Merged, MergeError> {
    check_fit(&parts)?;
    let (parts, superseded) = once_each(parts);
    let missing = missing(&parts);
    let mut document = join(parts);
    document.run.interrupted |= !missing.is_empty();
    Ok(Merged { document, missing, superseded })
}

fn check_fit(parts: &[Document]) -> Result<(), MergeError> {
    let first = parts.first().ok_or(MergeError::Nothing)?;
    let cut = |part: &PartitionInfo| (part.scheme.clone(), part.total);
    let mut cut_in_parts = parts.iter().filter(|part| part.run.partition.is_some());
    let Some(reference) = cut_in_parts.next() else { return Ok(()) };
    for other in parts {
        if other.run.plan_digest != reference.run.plan_digest {
            let (first, other) = (first.run.id.clone(), other.run.id.clone());
            return Err(MergeError::Plans { first, other });
        }
        if other.run.partition.as_ref().map(cut) != reference.run.partition.as_ref().map(cut) {
            return Err(MergeError::Cuts {
                first: reference.run.id.clone(),
                one: part_name(reference),
                other: other.run.id.clone(),
                two: part_name(other),
            });
        }
    }
    Ok(())
}

fn part_name(document: &Document) -> String {
    let name = |part: &PartitionInfo| format!("{}:{}/{}", part.scheme, part.index, part.total);
    document.run.partition.as_ref().map_or_else(|| "the whole".to_owned(), name)
}

/// Of every part the one that counts, and words about the others.
fn once_each(parts: Vec<Document>) -> (Vec<Document>, Vec<String>) {
    let mut by_part: BTreeMap<(Option<u32>, String), Document> = BTreeMap::new();
    let mut superseded = Vec::new();
    for part in parts {
        let index = part.run.partition.as_ref().map(|part| part.index);
        // Whole runs are told apart by their ids: the same file named twice counts once.
        let id = if index.is_some() { String::new() } else { part.run.id.clone() };
        let key = (index, id);
        let loser = match by_part.remove(&key) {
            Some(before) if rank(&before) >= rank(&part) => {
                by_part.insert(key, before);
                Some(part)
            }
            before => {
                by_part.insert(key, part);
                before
            }
        };
        superseded.extend(loser.map(|loser| {
            format!("{} of run {}, which is there twice", part_name(&loser), loser.run.id)
        }));
    }
    (by_part.into_values().collect(), superseded)
}

/// A part that came to its end beats one that did not, then more results, then the later one.
fn rank(part: &Document) -> (bool, usize, &str) {
    (!part.run.interrupted, part.results.len(), &part.run.started)
}

fn missing(parts: &[Document]) -> Vec<String> {
    let cut = parts.iter().find_map(|part| part.run.partition.as_ref());
    let there: BTreeSet<u32> =
        parts.iter().filter_map(|part| Some(part.run.partition.as_ref()?.index)).collect();
    let lost = cut.into_iter().flat_map(|cut| {
        let gone = (1..=cut.total).filter(|index| !there.contains(index));
        gone.map(|index| format!("part {}:{index}/{}", cut.scheme, cut.total))
    });
    let unfinished = parts
        .iter()
        .flat_map(|part| part.missing().map(move |id| format!("test {id} of {}", part_name(part))));
    lost.chain(unfinished).collect()
}

/// One document out of many; the first gives what there can be one of only.
fn join(parts: Vec<Document>) -> Document {
    let mut kernels: Vec<KernelInfo> = Vec::new();
    let mut results: HashMap<(String, String), (String, TestResult)> = HashMap::new();
    let mut planned = BTreeSet::new();
    let (mut interrupted, mut duration_ms) = (false, 0);
    let mut run = None;
    for part in parts {
        interrupted |= part.run.interrupted;
        duration_ms = duration_ms.max(part.run.duration_ms);
        planned.extend(part.run.planned.iter().map(|id| natural(id)));
        kernels.extend(
            part.kernels.iter().filter(|k| !kernels.contains(k)).cloned().collect::<Vec<_>>(),
        );
        for result in part.results {
            let result = with_artifacts_of(&part.run.dir, result);
            let key = (result.id.clone(), result.kernel.clone());
            let later = results.get(&key).is_none_or(|(when, _)| *when < part.run.started);
            if later {
                results.insert(key, (part.run.started.clone(), result));
            }
        }
        run.get_or_insert(part.run);
    }
    let mut results: Vec<TestResult> = results.into_values().map(|(_, result)| result).collect();
    results.sort_by_cached_key(|result| (natural(&result.id), result.kernel.clone()));
    let mut run = run.unwrap_or_else(|| unreachable!("`check_fit` refuses an empty list"));
    run.id = format!("{}-merged", run.id);
    (run.interrupted, run.duration_ms, run.partition) = (interrupted, duration_ms, None);
    run.planned = planned.into_iter().map(written).collect();
    Document { schema: SCHEMA, run, kernels, results, stale_allowances: Vec::new() }
}

/// Files of a part are named from where the part is.
fn with_artifacts_of(dir: &str, mut result: TestResult) -> TestResult {
    for artifact in &mut result.artifacts {
        *artifact = format!("{dir}/{artifact}");
    }
    result
}

/// An id so that its repetitions sort by their number.
fn natural(id: &str) -> (String, u32) {
    match id.rsplit_once('#').and_then(|(base, n)| Some((base, n.parse().ok()?))) {
        Some((base, number)) => (base.to_owned(), number),
        None => (id.to_owned(), 1),
    }
}

fn written((base, number): (String, u32)) -> String {
    if number == 1 { base } else { format!("{base}#{number}") }
}
