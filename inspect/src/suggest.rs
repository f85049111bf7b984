//! "Did you mean": the names nearest to a wrong one.

/// Names to offer at most.
const OFFERED: usize = 3;
/// Jaro similarity below which a name is no help.
const SIMILAR: f64 = 0.8;

/// Those of `names` most like `wrong`, best first.
pub(crate) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut scored: Vec<(f64, &str)> = names
        .map(|name| (strsim::jaro_winkler(wrong, name), name))
        .filter(|(score, _)| *score >= SIMILAR)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by_key(|scored| scored.1);
    scored.truncate(OFFERED);
    scored.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// The tail of an error message: `; did you mean ...?`, or nothing.
pub(crate) fn hint(nearest: &[String]) -> String {
    if nearest.is_empty() {
        return String::new();
    }
    let quoted: Vec<_> = nearest.iter().map(|name| format!("`{name}`")).collect();
    format!("; did you mean {}?", quoted.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_comes_first_and_strangers_not_at_all() {
        let names = ["nr_threads", "nr_running", "comm"];
        let got = nearest("nr_thread", names.into_iter());
        assert_eq!(got.first().map(String::as_str), Some("nr_threads"));
        assert!(!got.contains(&"comm".to_owned()));
        assert_eq!(hint(&got[..1]), "; did you mean `nr_threads`?");
        assert_eq!(hint(&[]), "");
    }
}
