//! The functions that look into memory.

use std::sync::Arc;

use cel::extractors::This;
use cel::objects::KeyRef;
use cel::{Context, DeclarationError, ExecutionError, FunctionContext, Value};
use serde::Serialize;

use super::parts::VIEW;
use super::views::{NOW, Views, snapshot};

/// Adds `read`, `var`, `deadlock`, `diff` and `leaks`.
pub(super) fn add(
    context: &mut Context<'static, 'static>,
    views: &Arc<Views>,
) -> Result<(), DeclarationError> {
    for name in ["read", "var"] {
        let views = Arc::clone(views);
        context.add_function(name, move |This(this): This<Value>, path: Arc<String>| {
            read(&views, name, &this, &path)
        })?;
    }
    let of = Arc::clone(views);
    context.add_function("deadlock", move |call: &FunctionContext| deadlock(&of, call))?;
    let of = Arc::clone(views);
    context.add_function("diff", move |a: Arc<String>, b: Arc<String>| diff(&of, &a, &b))?;
    let of = Arc::clone(views);
    context.add_function("leaks", move |a: Arc<String>, b: Arc<String>| leaks(&of, &a, &b))
}

fn failed(function: &str, why: impl ToString) -> ExecutionError {
    ExecutionError::function_error(function, why)
}

fn value(function: &str, of: impl Serialize) -> Result<Value, ExecutionError> {
    // Through JSON, so that a member means the same here and in `kharness inspect --json`.
    let json = serde_json::to_value(of).map_err(|error| failed(function, error))?;
    cel::to_value(json).map_err(|error| failed(function, error))
}

/// Which view a value such as `memory` is.
fn view_of(this: &Value) -> Option<String> {
    let Value::Map(map) = this else { return None };
    match map.get(&KeyRef::String(VIEW)) {
        Some(Value::String(name)) => Some(name.to_string()),
        _ => None,
    }
}

/// `memory.read('init_task.comm')`: a typed path. `memory.var('jiffies')` is the same for a bare name.
fn read(views: &Views, function: &str, this: &Value, path: &str) -> Result<Value, ExecutionError> {
    let view = view_of(this)
        .ok_or_else(|| failed(function, "it is a method of `memory` and of snapshots"))?;
    let kernel = views.kernel(&view).map_err(|why| failed(function, why))?;
    let read = kernel.evaluate(path).map_err(|why| failed(function, format!("`{path}`: {why}")))?;
    value(function, read.value)
}

/// `deadlock()` and `snapshots['a'].deadlock()`: the first circle of tasks that wait for each other, one
/// entry a task; empty when there is none.
fn deadlock(views: &Views, call: &FunctionContext) -> Result<Value, ExecutionError> {
    let this = call.this.as_ref().and_then(|this| Value::try_from(this.as_ref()).ok());
    let view = this.as_ref().and_then(view_of).unwrap_or_else(|| NOW.to_owned());
    let kernel = views.kernel(&view).map_err(|why| failed("deadlock", why))?;
    let (locks, _) = kernel.locks().map_err(|why| failed("deadlock", why))?;
    value("deadlock", locks.cycles.into_iter().next().unwrap_or_default())
}

/// `diff('a', 'b').slabs['dentry'].growth`: what changed from one snapshot to a later one.
fn diff(views: &Views, before: &str, after: &str) -> Result<Value, ExecutionError> {
    let kernel = |name| views.kernel(&snapshot(name)).map_err(|why| failed("diff", why));
    let diff = kernel(before)?.diff(&*kernel(after)?).map_err(|why| failed("diff", why))?;
    value("diff", diff)
}

/// `leaks('a', 'b')`: objects that are new in the later snapshot and that nothing points to, by cache.
fn leaks(views: &Views, before: &str, after: &str) -> Result<Value, ExecutionError> {
    let kernel = |name| views.kernel(&snapshot(name)).map_err(|why| failed("leaks", why));
    let leaks = kernel(before)?.leaks(&*kernel(after)?).map_err(|why| failed("leaks", why))?;
    value("leaks", leaks)
}
