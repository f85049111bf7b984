//! Kinds of types.

use super::TypeId;

/// A type, decoded one level deep.
///
/// Source of the format: kernel `include/uapi/linux/btf.h`, `Documentation/bpf/btf.rst`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `void`.
    Void,
    /// An integer.
    Int {
        /// Bytes.
        size: u64,
        /// Two's complement.
        signed: bool,
        /// A `bool`.
        boolean: bool,
    },
    /// A pointer.
    Pointer(TypeId),
    /// An array.
    Array {
        /// Type of the elements.
        element: TypeId,
        /// Their number; 0 for a flexible array.
        count: u32,
    },
    /// A struct.
    Struct {
        /// Bytes.
        size: u64,
    },
    /// A union.
    Union {
        /// Bytes.
        size: u64,
    },
    /// An enum of 32 or 64 bits.
    Enum {
        /// Bytes.
        size: u64,
        /// Two's complement.
        signed: bool,
    },
    /// A struct or union whose members are not known.
    Forward,
    /// Another name.
    Typedef(TypeId),
    /// `const`, `volatile`, `restrict` or a tag.
    Modifier(TypeId),
    /// A function or its prototype.
    Function,
    /// A variable; the kernel has them for per-CPU data only.
    Variable(TypeId),
    /// A section of variables.
    Section,
    /// A floating point number.
    Float {
        /// Bytes.
        size: u64,
    },
    /// A tag on a declaration.
    Tag,
}

/// BTF_KIND_*.
pub(super) mod raw {
    pub(crate) const INT: u32 = 1;
    pub(crate) const PTR: u32 = 2;
    pub(crate) const ARRAY: u32 = 3;
    pub(crate) const STRUCT: u32 = 4;
    pub(crate) const UNION: u32 = 5;
    pub(crate) const ENUM: u32 = 6;
    pub(crate) const FWD: u32 = 7;
    pub(crate) const TYPEDEF: u32 = 8;
    pub(crate) const VOLATILE: u32 = 9;
    pub(crate) const CONST: u32 = 10;
    pub(crate) const RESTRICT: u32 = 11;
    pub(crate) const FUNC: u32 = 12;
    pub(crate) const FUNC_PROTO: u32 = 13;
    pub(crate) const VAR: u32 = 14;
    pub(crate) const DATASEC: u32 = 15;
    pub(crate) const FLOAT: u32 = 16;
    pub(crate) const DECL_TAG: u32 = 17;
    pub(crate) const TYPE_TAG: u32 = 18;
    pub(crate) const ENUM64: u32 = 19;

    /// Bytes after the 12 of `struct btf_type`; `None` for a kind that is not known.
    pub(crate) fn tail_length(kind: u32, count: usize) -> Option<usize> {
        Some(match kind {
            PTR | FWD | TYPEDEF | VOLATILE | CONST | RESTRICT | FUNC | FLOAT | TYPE_TAG => 0,
            INT | VAR | DECL_TAG => 4,
            ARRAY => 12,
            STRUCT | UNION | DATASEC | ENUM64 => 12 * count,
            ENUM | FUNC_PROTO => 8 * count,
            _ => return None,
        })
    }
}
