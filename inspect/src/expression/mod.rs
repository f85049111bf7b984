//! Typed paths: `init_task.signal.nr_threads`, `*(struct rq *)per_cpu(runqueues, 1)`.

mod complete;
mod error;
mod evaluate;
mod globals;
mod render;
mod token;
mod value;

pub use error::ExpressionError;
pub use render::Printed;
