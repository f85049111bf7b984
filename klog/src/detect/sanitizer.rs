//! KASAN, KFENCE, KMSAN, KCSAN, UBSAN.
//!
//! `mm/kasan/report.c`, `mm/kfence/report.c`, `mm/kmsan/report.c`, `kernel/kcsan/report.c`, `lib/ubsan.c`.

use super::Headline;
use super::text::{function, word};
use crate::Kind;

pub(super) fn detect(message: &str) -> Option<Headline> {
    let bug = message.strip_prefix("BUG: ");
    bug.and_then(kasan)
        .or_else(|| bug.and_then(kfence))
        .or_else(|| bug.and_then(kmsan))
        .or_else(|| bug.and_then(kcsan))
        .or_else(|| ubsan(message))
}

/// `KASAN: slab-use-after-free in f+0x1/0x2`; old kernels append ` at addr …`.
fn kasan(bug: &str) -> Option<Headline> {
    if bug.starts_with("Double free or freeing an invalid pointer") {
        return Some(Headline::new(Kind::new("kasan.invalid-free"), "KASAN: invalid-free"));
    }
    let rest = bug.strip_prefix("KASAN: ").or(bug.strip_prefix("KASAN:"))?.trim_start();
    let (what, place) = rest.split_once(" in ").unwrap_or((rest, ""));
    let kind = Kind::of_words("kasan", what.split(" on address").next()?);
    Some(Headline::new(kind, format!("KASAN: {what}")).function(function(word(place))))
}

/// `KFENCE: use-after-free read in f+0x1/0x2`, also `memory corruption in`, `invalid free in`.
fn kfence(bug: &str) -> Option<Headline> {
    let rest = bug.strip_prefix("KFENCE: ")?;
    let (what, place) = rest.split_once(" in ")?;
    let access = what.strip_suffix(" read").or_else(|| what.strip_suffix(" write"));
    let kind = Kind::of_words("kfence", access.unwrap_or(what));
    Some(Headline::new(kind, format!("KFENCE: {what}")).function(function(word(place))))
}

/// `KMSAN: uninit-value in f+0x1/0x2`
fn kmsan(bug: &str) -> Option<Headline> {
    let rest = bug.strip_prefix("KMSAN: ")?;
    let (what, place) = rest.split_once(" in ")?;
    Some(
        Headline::new(Kind::of_words("kmsan", what), format!("KMSAN: {what}"))
            .function(function(word(place))),
    )
}

/// `KCSAN: data-race in f / g`, `KCSAN: assert: race in f / g`, and one function where the other access is unknown.
fn kcsan(bug: &str) -> Option<Headline> {
    let rest = bug.strip_prefix("KCSAN: ")?;
    let (what, place) = rest.split_once(" in ")?;
    let mut functions: Vec<String> = place.split(" / ").filter_map(function).collect();
    let first = functions.first().cloned();
    functions.sort();
    let title = format!("KCSAN: {what} in {}", functions.join(" / "));
    Some(Headline::new(Kind::of_words("kcsan", what), title).function(first))
}

/// `UBSAN: array-index-out-of-bounds in file:line:col`; before 5.x `UBSAN: Undefined behaviour in file:line:col`.
fn ubsan(message: &str) -> Option<Headline> {
    let rest = message
        .strip_prefix("UBSAN: ")
        .or_else(|| message.strip_prefix("Internal error: UBSAN: "))?;
    let (what, place) = rest.split_once(" in ").or_else(|| rest.split_once(": "))?;
    let located = place.contains(".c:")
        || place.contains(".h:")
        || place.contains(".rs:")
        || rest.contains("[#");
    let headline = Headline::new(Kind::of_words("ubsan", what), format!("UBSAN: {what}"));
    located.then_some(headline)
}
