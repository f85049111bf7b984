//! The word that was probably meant.

/// The nearest of `words` to `word`, if few enough letters are missing, wrong, swapped or too many
/// for it to be meant.
pub fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).max(1);
    words
        .map(|known| (strsim::osa_distance(word, known), known))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_another_word_is_not() {
        let words = ["steps", "expect", "env", "timeout"];
        let near = |word| nearest(word, words.into_iter());
        assert_eq!(near("stesp"), Some("steps"));
        assert_eq!(near("evn"), Some("env"));
        assert_eq!(near("expects"), Some("expect"));
        assert_eq!(near("time_out"), Some("timeout"));
        assert_eq!(near("matrix"), None);
    }
}
