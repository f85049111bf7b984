//! The command line of a workload: `--name value` and `--name`.

use crate::workload::run::Stopped;

/// Arguments that have not been asked for yet.
pub struct Options {
    words: Vec<String>,
}

impl Options {
    /// The arguments after the program's name.
    pub fn new(words: &[String]) -> Self {
        Self { words: words.to_vec() }
    }

    /// Takes the flag `name`: whether it was given.
    pub fn flag(&mut self, name: &str) -> bool {
        let found = self.words.iter().position(|word| word == name);
        found.map(|at| self.words.remove(at)).is_some()
    }

    /// Takes the next `name value`, as `parse` reads the value.
    pub fn value<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Stopped> {
        let Some(at) = self.words.iter().position(|word| word == name) else {
            return Ok(None);
        };
        if at + 1 == self.words.len() {
            return Err(Stopped::Usage(format!("{name} needs a value")));
        }
        let value = self.words.remove(at + 1);
        self.words.remove(at);
        let parsed = parse(&value).map_err(|why| Stopped::Usage(format!("{name} {value}: {why}")));
        parsed.map(Some)
    }

    /// Takes all `name value`, in order.
    pub fn values<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Stopped> {
        let mut values = Vec::new();
        while let Some(value) = self.value(name, &parse)? {
            values.push(value);
        }
        Ok(values)
    }

    /// Whether all arguments have been taken.
    pub fn end(&self) -> Result<(), Stopped> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => Err(Stopped::Usage(format!("unknown argument {word}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::units;

    fn options(words: &[&str]) -> Options {
        Options::new(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_nobody_asked_for_is_refused() {
        let mut options = options(&["--hold", "--sized", "1MiB"]);
        assert!(options.flag("--hold"));
        assert!(!options.flag("--hold"));
        assert!(matches!(options.end(), Err(Stopped::Usage(why)) if why.contains("--sized")));
    }

    #[test]
    fn values_keep_their_order() {
        let mut options = options(&["--task", "2", "--task", "1"]);
        assert_eq!(options.values("--task", units::count).unwrap(), [2, 1]);
        assert!(options.end().is_ok());
    }

    #[test]
    fn a_missing_value_is_refused() {
        assert!(options(&["--size"]).value("--size", units::size).is_err());
    }
}
