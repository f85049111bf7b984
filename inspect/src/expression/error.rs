//! What can be wrong with an expression.

use crate::kernel::Error;
use crate::suggest::hint;

/// Why an expression has no value.
#[derive(Debug, thiserror::Error)]
pub enum ExpressionError {
    /// It cannot be read.
    #[error("column {column}: expected {expected}, found {found}")]
    Syntax {
        /// Position, from 1.
        column: usize,
        /// What could stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A name that is neither a symbol nor a per-CPU variable.
    #[error("no variable `{name}` in this kernel{}", hint(nearest))]
    UnknownName {
        /// The name.
        name: String,
        /// Names like it.
        nearest: Vec<String>,
    },
    /// A type that the kernel does not have.
    #[error("no type `{name}` in this kernel{}", hint(nearest))]
    UnknownType {
        /// The name.
        name: String,
        /// Names like it.
        nearest: Vec<String>,
    },
    /// A variable whose type the kernel does not record.
    #[error("the type of `{name}` is not in the kernel's BTF; cast it: `*(struct T *)&{name}`")]
    Untyped {
        /// The variable.
        name: String,
    },
    /// An operation that a value does not have.
    #[error("`{found}` has no {wanted}")]
    Mismatch {
        /// Type of the value.
        found: String,
        /// What was asked of it.
        wanted: &'static str,
    },
    /// The kernel or its memory.
    #[error(transparent)]
    Kernel(#[from] Error),
}

impl From<crate::memory::MemoryError> for ExpressionError {
    fn from(error: crate::memory::MemoryError) -> Self {
        Self::Kernel(error.into())
    }
}

impl From<crate::types::TypeError> for ExpressionError {
    fn from(error: crate::types::TypeError) -> Self {
        Self::Kernel(error.into())
    }
}
