//! An expression over the memory of a guest that stands still.

use std::sync::Arc;

use cel::{Context, Value};
use inspect::Kernel;

use super::Views;
use crate::scenario::model::Cel;

/// Whether `cel` is true of the kernel as it is now.
///
/// # Errors
/// When it cannot be evaluated.
pub fn holds_now(cel: &Cel, kernel: &Arc<Kernel>) -> Result<bool, String> {
    let mut context = Context::default();
    let views = Arc::new(Views::live(Arc::clone(kernel)));
    views.add_to(&mut context, &cel.mentions().members)?;
    match cel.program.execute(&context) {
        Ok(Value::Bool(holds)) => Ok(holds),
        Ok(_) => Err(format!("`{}` is neither true nor false", cel.text)),
        Err(error) => Err(format!("`{}` cannot be evaluated: {error}", cel.text)),
    }
}
