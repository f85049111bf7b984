//! How an expression may go on, for completion at a prompt.

use super::evaluate::value_of;
use crate::kernel::Kernel;

/// Completions given; a person types on when there are more.
const MOST: usize = 200;

impl Kernel {
    /// The words that may stand where the last word of `text` stands: members of what is before a `.` or
    /// `->`, else symbols; sorted, each once.
    #[must_use]
    pub fn complete(&self, text: &str) -> Vec<String> {
        let start = text.rfind(|c: char| !is_word(c)).map_or(0, |at| at + 1);
        let (before, word) = text.split_at(start);
        let base = before.strip_suffix("->").or_else(|| before.strip_suffix('.'));
        let mut found = match base {
            Some(base) => self.members_after(base, word),
            None if word.is_empty() => Vec::new(),
            None => {
                let names = self.symbols().iter().map(|symbol| symbol.name);
                names
                    .filter(|name| name.starts_with(word))
                    .take(MOST * 4)
                    .map(str::to_owned)
                    .collect()
            }
        };
        found.sort_unstable();
        found.dedup();
        found.truncate(MOST);
        found
    }

    fn members_after(&self, base: &str, word: &str) -> Vec<String> {
        // What is before may be part of a larger expression: `*(struct rq *)x`, `(init_task`.
        let start = base.rfind([' ', '(', ',', '&', '*']).map_or(0, |at| at + 1);
        let value = value_of(self, base).or_else(|_| value_of(self, &base[start..]));
        let Ok(value) = value else { return Vec::new() };
        let ty = value.ty.target(self).unwrap_or(value.ty);
        let members = self.types().members(self.types().resolve(ty.id));
        members
            .into_iter()
            .map(|member| member.name)
            .filter(|name| name.starts_with(word))
            .collect()
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
