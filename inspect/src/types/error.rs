//! What can go wrong with types.

use crate::suggest::hint;

/// Why a type, a member or a value's layout could not be given.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TypeError {
    /// The BTF section is not valid.
    #[error("BTF offset {offset:#x}: {reason}")]
    Damaged {
        /// Offset into the section.
        offset: usize,
        /// What is wrong there.
        reason: String,
    },
    /// No type of that name.
    #[error("no type `{name}` in this kernel{}", hint(nearest))]
    UnknownType {
        /// What was asked for.
        name: String,
        /// Names like it.
        nearest: Vec<String>,
    },
    /// A struct without that member.
    #[error("`{parent}` has no member `{name}`{}", hint(nearest))]
    UnknownMember {
        /// The struct or union.
        parent: String,
        /// What was asked for.
        name: String,
        /// Names like it.
        nearest: Vec<String>,
    },
    /// A member or an index of something that has none.
    #[error("`{what}` is a `{found}`, which has no {wanted}")]
    Mismatch {
        /// The expression so far.
        what: String,
        /// Its type.
        found: String,
        /// What was asked of it: `members`, `elements`.
        wanted: &'static str,
    },
    /// A path that cannot be read, such as `a..b`.
    #[error("`{path}` is not a member path like `a.b[2].c`")]
    Syntax {
        /// What was asked for.
        path: String,
    },
}
