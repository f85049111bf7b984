//! Expressions in CEL.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use ::cel::Program;
use ::cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use ::cel::parser::ParseErrors;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// Bytes of an expression: what is longer belongs into a program of its own.
const MOST_BYTES: usize = 4096;

/// Nesting of brackets; the parser recurses.
const MOST_NESTING: usize = 32;

/// A compiled CEL expression.
#[derive(Debug, Clone)]
pub struct Cel {
    /// The expression as it was written.
    pub text: String,
    /// The program.
    pub program: Arc<Program>,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CelError {
    /// Not CEL.
    #[error("not a CEL expression: {message}")]
    Syntax {
        /// Line in the expression, from 1.
        line: usize,
        /// Column in that line, from 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// Too long.
    #[error("an expression of {0} bytes; more than {MOST_BYTES} are for nobody to read")]
    Long(usize),
    /// Too deep.
    #[error("brackets nested more than {MOST_NESTING} deep")]
    Deep,
}

impl From<ParseErrors> for CelError {
    fn from(errors: ParseErrors) -> Self {
        let first = errors.errors.into_iter().next();
        let (line, column) = first.as_ref().map_or((1, 1), |error| error.pos);
        let message = first.map_or_else(String::new, |error| error.msg);
        Self::Syntax {
            line: usize::try_from(line).unwrap_or(1),
            column: usize::try_from(column).unwrap_or(1),
            message: plain(&message),
        }
    }
}

/// The parser's message without the list of all tokens that it would have taken instead.
fn plain(message: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let message = message.split(" expecting {").next().unwrap_or(message);
    message.replace("mismatched input '<EOF>'", "it ends too early").replace("'<EOF>'", "the end")
}

impl FromStr for Cel {
    type Err = CelError;

    fn from_str(text: &str) -> Result<Self, CelError> {
        if text.len() > MOST_BYTES {
            return Err(CelError::Long(text.len()));
        }
        if nesting(text) > MOST_NESTING {
            return Err(CelError::Deep);
        }
        let program = Program::compile(text)?;
        Ok(Self { text: text.to_owned(), program: Arc::new(program) })
    }
}

fn nesting(text: &str) -> usize {
    let mut deepest = 0_usize;
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// What an expression speaks of.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Names that the expression does not bind itself.
    pub names: BTreeSet<String>,
    /// Ids of steps: `steps.ID` and `steps['ID']`.
    pub steps: BTreeSet<String>,
}

impl Cel {
    /// What the expression speaks of.
    pub fn mentions(&self) -> Mentions {
        let mut mentions = Mentions::default();
        collect(self.program.expression(), &mut Vec::new(), &mut mentions);
        mentions
    }
}

/// Walks an expression; `bound` are the variables of the comprehensions around it.
fn collect<'a>(at: &'a IdedExpr, bound: &mut Vec<&'a str>, mentions: &mut Mentions) {
    match &at.expr {
        Expr::Ident(name) if !bound.contains(&name.as_str()) && !name.starts_with('@') => {
            mentions.names.insert(name.clone());
        }
        Expr::Select(select) if is_steps(&select.operand, bound) => {
            mentions.steps.insert(select.field.clone());
        }
        Expr::Call(call) => mentions.steps.extend(indexed_step(&call.args, bound)),
        _ => {}
    }
    if let Expr::Comprehension(all) = &at.expr {
        collect(&all.iter_range, bound, mentions);
        collect(&all.accu_init, bound, mentions);
        let outside = bound.len();
        bound.extend([all.iter_var.as_str(), all.accu_var.as_str()]);
        bound.extend(all.iter_var2.as_deref());
        for part in [&all.loop_cond, &all.loop_step, &all.result] {
            collect(part, bound, mentions);
        }
        bound.truncate(outside);
    } else {
        for part in parts(&at.expr) {
            collect(part, bound, mentions);
        }
    }
}

fn is_steps(operand: &IdedExpr, bound: &[&str]) -> bool {
    matches!(&operand.expr, Expr::Ident(name) if name == "steps") && !bound.contains(&"steps")
}

/// `steps['ID']` is a call of the index operator.
fn indexed_step(args: &[IdedExpr], bound: &[&str]) -> Option<String> {
    match args {
        [operand, IdedExpr { expr: Expr::Literal(LiteralValue::String(id)), .. }]
            if is_steps(operand, bound) =>
        {
            Some(id.inner().to_owned())
        }
        _ => None,
    }
}

/// The expressions right below one that binds no variables.
fn parts(expr: &Expr) -> Vec<&IdedExpr> {
    match expr {
        Expr::Call(call) => call.target.iter().map(AsRef::as_ref).chain(&call.args).collect(),
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Map(map) => map.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Struct(new) => new.entries.iter().flat_map(|it| entry_parts(&it.expr)).collect(),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Comprehension(_) => vec![],
    }
}

fn entry_parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

impl PartialEq for Cel {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Serialize for Cel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl JsonSchema for Cel {
    fn schema_name() -> Cow<'static, str> {
        "Cel".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An expression in CEL, the Common Expression Language.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mentions(text: &str) -> Mentions {
        text.parse::<Cel>().unwrap().mentions()
    }

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn variables_of_a_comprehension_are_no_names() {
        let found = mentions("reports.exists(r, r.kind == 'panic' && q.x > 1)");
        assert_eq!(found.names, set(&["reports", "q"]));
    }

    #[test]
    fn steps_are_found_by_field_and_by_index() {
        let found = mentions("steps.hog.exit == 0 || {'a': [steps['b-c'].stdout]}.size() > 0");
        assert_eq!(found.steps, set(&["hog", "b-c"]));
    }

    #[test]
    fn an_error_says_where_it_is() {
        let error = "1 +\n  + 2 )".parse::<Cel>().unwrap_err();
        assert!(matches!(error, CelError::Syntax { line: 2, column: 3, .. }), "{error:?}");
    }

    #[test]
    fn nesting_and_length_have_an_end() {
        assert_eq!("(".repeat(33).parse::<Cel>().unwrap_err(), CelError::Deep);
        assert_eq!("1".repeat(4097).parse::<Cel>().unwrap_err(), CelError::Long(4097));
        let most = format!("{}1{}", "(".repeat(32), ")".repeat(32));
        assert_eq!(most.parse::<Cel>().unwrap().text, most);
    }
}
