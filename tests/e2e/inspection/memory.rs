//! Zones and slab caches against what the guest said of them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::told::Told;
use crate::bench::text;

/// Pages that may come and go between the guest's words and the snapshot.
const PAGES: u64 = 1024;

pub fn same(told: &Told) {
    same_managed_pages(told);
    same_free_blocks(told);
    same_slabs(told);
}

/// The pages that the allocator has are as many as ever.
fn same_managed_pages(told: &Told) {
    let mut said = Vec::new();
    let mut zone = String::new();
    for line in told.lines("MANAGED") {
        match line.trim().strip_prefix("managed") {
            Some(pages) => said.push((zone.clone(), pages.trim().parse::<u64>().unwrap())),
            None => zone = line.split_whitespace().last().unwrap().to_owned(),
        }
    }
    said.retain(|(_, pages)| *pages > 0);
    let seen: Vec<(String, u64)> = told
        .items(&["zones"])
        .iter()
        .map(|zone| (text(zone, "name").to_owned(), zone["managed_pages"].as_u64().unwrap()))
        .collect();
    assert_eq!(seen, said);
}

/// Free pages of each zone; blocks are split and joined all the time, so that only their sum lasts.
fn same_free_blocks(told: &Told) {
    let zones = told.items(&["zones"]);
    let said = told.lines("BUDDY");
    assert_eq!(said.len(), zones.len(), "{said:?}");
    for (line, zone) in said.iter().zip(&zones) {
        // `Node 0, zone   Normal    2    1 …`: blocks by order.
        let mut words = line.split_whitespace().skip(3);
        assert_eq!(words.next(), Some(text(zone, "name")), "{line}");
        let blocks: Vec<u64> = words.map(|count| count.parse().unwrap()).collect();
        let pages = |blocks: &[u64]| -> u64 {
            blocks.iter().enumerate().map(|(order, count)| count << order).sum()
        };
        let free = zone["free"].as_array().unwrap();
        let seen: Vec<u64> = free.iter().map(|area| area["blocks"].as_u64().unwrap()).collect();
        assert_eq!(seen.len(), blocks.len(), "{line}");
        let (seen, said) = (pages(&seen), pages(&blocks));
        assert!(seen.abs_diff(said) < PAGES, "{line}: {seen} pages in memory, {said} said");
    }
}

/// The kernel counts objects on free lists as active, so that is an upper bound of what lives; what a cache has
/// in all is exact. And there is one `task_struct` at least for every task.
fn same_slabs(told: &Told) {
    let seen: BTreeMap<String, Value> = told
        .items(&["slabs"])
        .into_iter()
        .map(|cache| (text(&cache, "name").to_owned(), cache))
        .collect();
    let tasks = told.items(&["tasks"]).len() as u64;
    let live = seen["task_struct"]["live"].as_u64().unwrap();
    assert!((tasks - 2..tasks + 40).contains(&live), "{tasks} tasks, {live} in memory");
    let (mut compared, mut differing) = (0, Vec::new());
    for line in told.lines("SLAB") {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, active, total, size, ..] = words[..] else { continue };
        let (Ok(active), Ok(total), Ok(size)) =
            (active.parse::<u64>(), total.parse::<u64>(), size.parse::<u64>())
        else {
            continue;
        };
        let Some(cache) = seen.get(name) else { panic!("no {name} in memory") };
        let number = |member: &str| cache[member].as_u64().unwrap();
        assert_eq!(number("stride"), size, "{line}");
        compared += 1;
        if number("total") != total || number("live") > active + total / 20 + 20 {
            differing.push(format!("{line}: total {}, live {}", number("total"), number("live")));
        }
    }
    println!("{} of {compared} slab caches differ: {differing:?}", differing.len());
    assert!(compared > 50, "only {compared} caches");
    // The caches of what the guest did last: saying it, and taking the snapshot.
    assert!(differing.len() * 8 < compared, "{} of {compared}: {differing:#?}", differing.len());
}
