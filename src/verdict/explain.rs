//! Why a CEL expression does not hold: the values of the parts that decide it.

use cel::common::ast::{CallExpr, Expr, LiteralValue, operators as op};
use cel::{Context, IdedExpr, Value};

/// Longest value printed, in characters.
const SHOWN: usize = 200;

/// One line a part: `steps['s1'].exit = 3`. Parts that hold are left out.
pub fn explain(expression: &IdedExpr, context: &Context) -> Vec<String> {
    let mut lines = Vec::new();
    collect(expression, context, &mut lines);
    lines.dedup();
    lines
}

fn collect(expression: &IdedExpr, context: &Context, lines: &mut Vec<String>) {
    match &expression.expr {
        Expr::Call(call) if is_logic(call) => {
            for part in call.args.iter().filter(|part| !holds(part, context, call)) {
                collect(part, context, lines);
            }
        }
        Expr::Call(call) if infix(&call.func_name).is_some() => {
            call.args.iter().for_each(|part| collect(part, context, lines));
        }
        Expr::Comprehension(comprehension) => collect(&comprehension.iter_range, context, lines),
        Expr::Literal(_) | Expr::Unspecified => {}
        _ => lines.push(format!("{} = {}", source(expression), value(expression, context))),
    }
}

fn is_logic(call: &CallExpr) -> bool {
    [op::LOGICAL_AND, op::LOGICAL_OR, op::LOGICAL_NOT, op::CONDITIONAL]
        .contains(&call.func_name.as_str())
}

/// Under `&&` a part that is true explains nothing; elsewhere each may.
fn holds(part: &IdedExpr, context: &Context, call: &CallExpr) -> bool {
    call.func_name == op::LOGICAL_AND
        && matches!(Value::resolve(part, context), Ok(Value::Bool(true)))
}

fn value(expression: &IdedExpr, context: &Context) -> String {
    match Value::resolve(expression, context) {
        Ok(value) => shorten(&plain(&value)),
        Err(error) => format!("error: {error}"),
    }
}

/// A value as JSON, which is how people read it.
pub fn plain(value: &Value) -> String {
    value.json().map_or_else(|_| format!("{value:?}"), |json| json.to_string())
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}

/// The expression as a person would write it.
fn source(expression: &IdedExpr) -> String {
    match &expression.expr {
        Expr::Ident(name) => name.clone(),
        Expr::Literal(literal) => literal_source(literal),
        Expr::Select(select) if select.test => {
            format!("has({}.{})", source(&select.operand), select.field)
        }
        Expr::Select(select) => format!("{}.{}", source(&select.operand), select.field),
        Expr::Call(call) => call_source(call),
        Expr::List(list) => format!("[{}]", join(&list.elements)),
        Expr::Comprehension(comprehension) => {
            format!("{}.…", source(&comprehension.iter_range))
        }
        Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => "{…}".to_owned(),
    }
}

fn call_source(call: &CallExpr) -> String {
    match (call.func_name.as_str(), call.args.as_slice(), &call.target) {
        (op::INDEX, [of, index], _) => format!("{}[{}]", source(of), source(index)),
        (op::LOGICAL_NOT, [of], _) => format!("!{}", source(of)),
        (op::NEGATE, [of], _) => format!("-{}", source(of)),
        (name, [left, right], _) if infix(name).is_some() => {
            format!("{} {} {}", source(left), infix(name).unwrap_or(name), source(right))
        }
        (name, args, Some(target)) => format!("{}.{name}({})", source(target), join(args)),
        (name, args, None) => format!("{name}({})", join(args)),
    }
}

fn infix(name: &str) -> Option<&str> {
    match name {
        op::IN => Some("in"),
        op::INDEX | op::LOGICAL_NOT | op::NEGATE => None,
        _ => name.strip_prefix('_')?.strip_suffix('_').filter(|inner| !inner.contains('_')),
    }
}

fn join(parts: &[IdedExpr]) -> String {
    parts.iter().map(source).collect::<Vec<_>>().join(", ")
}

fn literal_source(literal: &LiteralValue) -> String {
    match literal {
        LiteralValue::Boolean(value) => value.inner().to_string(),
        LiteralValue::Double(value) => value.inner().to_string(),
        LiteralValue::Int(value) => value.inner().to_string(),
        LiteralValue::UInt(value) => format!("{}u", value.inner()),
        LiteralValue::String(value) => format!("'{}'", value.inner()),
        LiteralValue::Bytes(_) => "b'…'".to_owned(),
        LiteralValue::Null => "null".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cel::Program;
    use serde_json::json;

    fn explained(text: &str) -> Vec<String> {
        let mut context = Context::default();
        context.add_variable("steps", json!({"a": {"exit": 3}, "b": {"exit": 0}})).unwrap();
        context.add_variable("reports", json!([{"kind": "warning"}])).unwrap();
        let program = Program::compile(text).unwrap();
        explain(program.expression(), &context)
    }

    #[test]
    fn the_parts_of_a_comparison_are_shown_with_their_values() {
        assert_eq!(explained("steps.a.exit == 0"), ["steps.a.exit = 3"]);
        assert_eq!(
            explained("steps['a'].exit < steps['b'].exit * 2"),
            ["steps['a'].exit = 3", "steps['b'].exit = 0"]
        );
    }

    #[test]
    fn what_holds_is_left_out() {
        assert_eq!(explained("steps.b.exit == 0 && steps.a.exit == 0"), ["steps.a.exit = 3"]);
    }

    #[test]
    fn a_macro_shows_what_it_went_over() {
        assert_eq!(
            explained("reports.exists(r, r.kind == 'x')"),
            [r#"reports = [{"kind":"warning"}]"#]
        );
    }

    #[test]
    fn a_call_shows_its_result() {
        assert_eq!(explained("size(reports) == 0"), ["size(reports) = 1"]);
    }

    #[test]
    fn an_error_is_shown_as_one() {
        assert!(explained("steps.nosuch.exit == 0")[0].starts_with("steps.nosuch.exit = error: "));
    }
}
