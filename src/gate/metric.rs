//! Numbers that got worse.

use super::side::{Sample, Side};
use super::statistics::{holm, mann_whitney, median};
use crate::results::Better;

/// What it takes to call a number worse: unlikely by chance, large, and of consequence.
#[derive(Debug, Clone, Copy)]
pub struct Margins {
    /// Probability of a false alarm in a whole comparison.
    pub alpha: f64,
    /// Least effect: Cliff's delta.
    pub delta: f64,
    /// Least change of the median, as a part of it.
    pub change: f64,
}

impl Default for Margins {
    /// 0.474 is what is called a large effect (J. Romano et al., FAIR 2006).
    fn default() -> Self {
        Self { alpha: 0.01, delta: 0.474, change: 0.05 }
    }
}

/// Values of a quiet host that are enough to compare without those of an overloaded one.
const ENOUGH: usize = 5;

/// Sides of which about the same part was measured on an overloaded host measured the same thing.
const ALIKE: f64 = 0.5;

/// A number of a test on both sides.
struct Pair<'a> {
    test: &'a str,
    name: &'a str,
    better: Better,
    unit: &'a str,
    before: Vec<f64>,
    after: Vec<f64>,
    /// Whether the load of the host may be all of the difference.
    doubtful: bool,
}

/// A number that got worse, in words.
pub struct Worse {
    /// Test id.
    pub test: String,
    /// Name of the number.
    pub name: String,
    /// By how much, and how sure that is.
    pub detail: String,
    /// Whether the load of the host may be the reason.
    pub doubtful: bool,
}

/// The numbers of `current` that are worse than in `base`.
pub fn worse(base: &Side, current: &Side, margins: Margins) -> Vec<Worse> {
    let pairs: Vec<Pair> = pairs(base, current).collect();
    let shifts: Vec<_> = pairs.iter().map(Pair::shift).collect();
    let p: Vec<f64> = shifts.iter().map(|shift| shift.p).collect();
    let unlikely = holm(&p, margins.alpha);
    let mut worse = Vec::new();
    for ((pair, shift), unlikely) in pairs.iter().zip(shifts).zip(unlikely) {
        let change = pair.change();
        if unlikely && shift.delta >= margins.delta && change.abs() >= margins.change {
            worse.push(Worse {
                test: pair.test.to_owned(),
                name: pair.name.to_owned(),
                detail: pair.words(change, shift.p, shift.delta),
                doubtful: pair.doubtful,
            });
        }
    }
    worse
}

fn pairs<'a>(base: &'a Side, current: &'a Side) -> impl Iterator<Item = Pair<'a>> {
    let tests = current.tests.iter().filter_map(|(id, seen)| Some((id, base.tests.get(id)?, seen)));
    tests.flat_map(|(test, before, after)| {
        after.measures.iter().filter_map(move |(name, after)| {
            Some(Pair::new(test, name, before.measures.get(name)?, after))
        })
    })
}

impl<'a> Pair<'a> {
    /// Values of a quiet host alone where there are enough; else all of them.
    fn new(test: &'a str, name: &'a str, before: &Sample, after: &'a Sample) -> Self {
        let quiet = [before, after].iter().all(|side| side.values.len() >= ENOUGH);
        let values = |side: &Sample| {
            let starved = if quiet { &[] } else { &side.starved[..] };
            [&side.values[..], starved].concat()
        };
        let unlike = (before.starved_part() - after.starved_part()).abs() > ALIKE;
        Self {
            test,
            name,
            better: after.better,
            unit: &after.unit,
            before: values(before),
            after: values(after),
            doubtful: !quiet && unlike,
        }
    }

    /// How much likelier than not the second side is worse.
    fn shift(&self) -> super::statistics::Shift {
        match self.better {
            Better::Lower => mann_whitney(&self.before, &self.after),
            Better::Higher => mann_whitney(&self.after, &self.before),
        }
    }

    /// Change of the median, as a part of what it was.
    fn change(&self) -> f64 {
        let before = median(&self.before).unwrap_or_default();
        let after = median(&self.after).unwrap_or_default();
        if before == 0.0 {
            if after == 0.0 { 0.0 } else { 1.0 }
        } else {
            (after - before) / before.abs()
        }
    }

    fn words(&self, change: f64, p: f64, delta: f64) -> String {
        let value = |sample: &[f64]| median(sample).unwrap_or_default();
        let doubt = if self.doubtful { "; but the host was overloaded: measure again" } else { "" };
        format!(
            "{} {} → {} {} ({:+.1} %; p = {p:.2e}, effect {delta:.2}, {} against {} samples){doubt}",
            self.name,
            short(value(&self.before)),
            short(value(&self.after)),
            self.unit,
            change * 100.0,
            self.after.len(),
            self.before.len()
        )
    }
}

impl Sample {
    /// Which part of it was measured on an overloaded host, 0 to 1.
    fn starved_part(&self) -> f64 {
        let count = |values: &[f64]| f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX));
        let all = count(&self.values) + count(&self.starved);
        if all == 0.0 { 0.0 } else { count(&self.starved) / all }
    }
}

/// A number with four digits that count.
pub fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => format!("{value:.0}"),
        medium if medium >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
