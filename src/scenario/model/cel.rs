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

/// Depth of an expression's tree: what evaluates it recurses, on threads with 2 MiB of stack.
const MOST_DEPTH: usize = 32;

/// Stack for the parser. It recurses through every rule of the grammar, to its own limit of 96
/// nested expressions, which takes a debug build more than 10 MiB.
const PARSER_STACK: usize = 64 << 20;

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
    #[error("an expression nested more than {MOST_DEPTH} deep: split it into several")]
    Deep,
    /// The host gives no thread for the parser.
    #[error("cannot compile the expression: {0}")]
    Host(String),
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
        // A block scalar ends in a newline, where no one looks for a mistake.
        let text = text.trim_end();
        if text.len() > MOST_BYTES {
            return Err(CelError::Long(text.len()));
        }
        let program = std::thread::scope(|scope| {
            let parser = std::thread::Builder::new().stack_size(PARSER_STACK);
            let parsed = parser
                .spawn_scoped(scope, || compile(text))
                .map_err(|error| CelError::Host(error.to_string()))?;
            parsed.join().unwrap_or_else(|_| Err(CelError::Host("the parser failed".to_owned())))
        })?;
        Ok(Self { text: text.to_owned(), program: Arc::new(program) })
    }
}

/// Too deep a tree is measured and dropped here already, where there is stack for it.
fn compile(text: &str) -> Result<Program, CelError> {
    let program = Program::compile(text)?;
    if depth(program.expression()) > MOST_DEPTH { Err(CelError::Deep) } else { Ok(program) }
}

fn depth(expression: &IdedExpr) -> usize {
    1 + parts(&expression.expr).into_iter().map(depth).max().unwrap_or(0)
}

/// What an expression speaks of.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Names that the expression does not bind itself.
    pub names: BTreeSet<String>,
    /// Ids of steps: `steps.ID` and `steps['ID']`.
    pub steps: BTreeSet<String>,
    /// Members and methods that are selected of anything, and functions that are called.
    pub members: BTreeSet<String>,
    /// Names of snapshots: `snapshots['NAME']`, and the texts that `diff` and `leaks` are called with.
    pub snapshots: BTreeSet<String>,
}

impl Mentions {
    /// Whether guest memory must be there: now, or as it was saved by a `snapshot` step.
    pub fn memory(&self) -> bool {
        self.names.contains("memory") || self.members.contains("deadlock")
    }
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
        Expr::Select(select) => {
            let field = select.field.clone();
            if is_name(&select.operand, "steps", bound) {
                mentions.steps.insert(field.clone());
            } else if is_name(&select.operand, "snapshots", bound) {
                mentions.snapshots.insert(field.clone());
            }
            mentions.members.insert(field);
        }
        Expr::Call(call) => {
            mentions.steps.extend(indexed(&call.args, "steps", bound));
            mentions.snapshots.extend(indexed(&call.args, "snapshots", bound));
            if ["diff", "leaks"].contains(&call.func_name.as_str()) {
                mentions.snapshots.extend(call.args.iter().filter_map(text));
            }
            mentions.members.insert(call.func_name.clone());
        }
        _ => {}
    }
    let outside = bound.len();
    for (index, part) in parts(&at.expr).into_iter().enumerate() {
        if let (Expr::Comprehension(all), FIRST_IN_LOOP) = (&at.expr, index) {
            bound.extend([all.iter_var.as_str(), all.accu_var.as_str()]);
            bound.extend(all.iter_var2.as_deref());
        }
        collect(part, bound, mentions);
    }
    bound.truncate(outside);
}

/// Of the [`parts`] of a comprehension the first that knows the variables of its loop.
const FIRST_IN_LOOP: usize = 2;

fn is_name(operand: &IdedExpr, wanted: &str, bound: &[&str]) -> bool {
    matches!(&operand.expr, Expr::Ident(name) if name == wanted) && !bound.contains(&wanted)
}

/// `steps['ID']` is a call of the index operator.
fn indexed(args: &[IdedExpr], map: &str, bound: &[&str]) -> Option<String> {
    match args {
        [operand, index] if is_name(operand, map, bound) => text(index),
        _ => None,
    }
}

/// The text that an expression states.
fn text(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_owned()),
        _ => None,
    }
}

/// The expressions right below one.
fn parts(expr: &Expr) -> Vec<&IdedExpr> {
    match expr {
        Expr::Call(call) => call.target.iter().map(AsRef::as_ref).chain(&call.args).collect(),
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Map(map) => map.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Struct(new) => new.entries.iter().flat_map(|it| entry_parts(&it.expr)).collect(),
        Expr::Comprehension(all) => {
            vec![&all.iter_range, &all.accu_init, &all.loop_cond, &all.loop_step, &all.result]
        }
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => vec![],
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
    fn snapshots_and_members_are_found() {
        let found =
            mentions("memory.tasks.size() > snapshots['a'].slabs.size() && diff('b', 'c') == []");
        assert_eq!(found.snapshots, set(&["a", "b", "c"]));
        assert!(
            found.memory() && found.members.contains("tasks") && found.members.contains("slabs")
        );
        assert!(!mentions("reports.size() == 0").memory());
        assert!(mentions("deadlock().size() == 0").memory());
    }

    #[test]
    fn an_error_says_where_it_is() {
        let error = "1 +\n  + 2 )".parse::<Cel>().unwrap_err();
        assert!(matches!(error, CelError::Syntax { line: 2, column: 3, .. }), "{error:?}");
    }

    #[test]
    fn nesting_and_length_have_an_end() {
        assert_eq!("1".repeat(4097).parse::<Cel>().unwrap_err(), CelError::Long(4097));
        assert_eq!(["1"; 2000].join("+").parse::<Cel>().unwrap_err(), CelError::Deep);
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(nested(32).parse::<Cel>().unwrap_err(), CelError::Deep);
        assert!(nested(2000).parse::<Cel>().is_err());
    }

    #[test]
    fn the_deepest_expression_is_evaluated_on_a_small_stack() {
        let deepest = format!("{}1{}", "[".repeat(31), "]".repeat(31)).parse::<Cel>().unwrap();
        assert!(deepest.program.execute(&::cel::Context::default()).is_ok());
    }
}
