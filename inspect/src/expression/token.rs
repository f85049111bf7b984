//! Splits an expression into tokens.

use super::ExpressionError;

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Name(&'a str),
    Number(u64),
    /// One of `* & . [ ] ( ) ,` and `>` for the arrow `->`.
    Mark(char),
    End,
}

/// The tokens of an expression, with a look at the next one.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token, without taking it.
    pub fn peek(&self) -> Result<Token<'a>, ExpressionError> {
        self.clone().next()
    }

    /// Takes the next token.
    pub fn next(&mut self) -> Result<Token<'a>, ExpressionError> {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        let Some(first) = trimmed.chars().next() else {
            return Ok(Token::End);
        };
        if trimmed.starts_with("->") {
            self.at += 2;
            return Ok(Token::Mark('>'));
        }
        if "*&.[](),".contains(first) {
            self.at += 1;
            return Ok(Token::Mark(first));
        }
        let length =
            trimmed.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(trimmed.len());
        let word = &trimmed[..length];
        let token = match first {
            '0'..='9' => number(word).map(Token::Number),
            'A'..='Z' | 'a'..='z' | '_' => Some(Token::Name(word)),
            _ => None,
        };
        let token =
            token.ok_or_else(|| self.expected("a name, a number or one of `*&.->[](),`"))?;
        self.at += length;
        Ok(token)
    }

    /// Takes `mark` if it is next.
    pub fn accept(&mut self, mark: char) -> Result<bool, ExpressionError> {
        let is_next = self.peek()? == Token::Mark(mark);
        if is_next {
            self.next()?;
        }
        Ok(is_next)
    }

    /// Takes `mark`, which must be next.
    pub fn require(&mut self, mark: char, expected: &'static str) -> Result<(), ExpressionError> {
        if self.accept(mark)? { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// The error that something else was expected here.
    pub fn expected(&self, expected: &'static str) -> ExpressionError {
        let rest = self.text[self.at..].trim_start();
        let found = match rest {
            "" => "the end".to_owned(),
            rest => format!("`{}`", rest.chars().take(16).collect::<String>()),
        };
        ExpressionError::Syntax { column: self.text.len() - rest.len() + 1, expected, found }
    }
}

fn number(word: &str) -> Option<u64> {
    match word.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_split_into_its_tokens() {
        let mut tokens = Tokens::new(" a->b[0x1f] ");
        let mut all = Vec::new();
        loop {
            match tokens.next().unwrap() {
                Token::End => break,
                token => all.push(token),
            }
        }
        assert_eq!(
            all,
            [
                Token::Name("a"),
                Token::Mark('>'),
                Token::Name("b"),
                Token::Mark('['),
                Token::Number(31),
                Token::Mark(']'),
            ]
        );
    }

    #[test]
    fn a_wrong_character_is_named_with_its_column() {
        let error = Tokens::new("  $x").next().unwrap_err().to_string();
        assert!(error.starts_with("column 3"), "{error}");
        assert!(Tokens::new("é").next().is_err());
        assert!(Tokens::new("12x").next().is_err());
    }
}
