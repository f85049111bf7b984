//! The definition of a type, as a table of its members.

use serde::Serialize;

use super::{Btf, TypeError};

/// A struct, union or enum with its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Definition {
    /// Name as C writes it: `struct task_struct`.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Members, those of anonymous parts among them, in order; none for an enum.
    pub members: Vec<DefinedMember>,
    /// Enumerators of an enum.
    pub enumerators: Vec<Enumerator>,
}

/// A member of a struct or union.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DefinedMember {
    /// Offset in bytes.
    pub offset: u64,
    /// Size in bytes; of a bit-field that of the type that it is declared with.
    pub size: u64,
    /// First bit in that byte, and width, of a bit-field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<(u64, u32)>,
    /// Type.
    #[serde(rename = "type")]
    pub ty: String,
    /// Name.
    pub name: String,
}

/// A name of an enum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Enumerator {
    /// Name.
    pub name: String,
    /// Value.
    pub value: i64,
}

impl Btf {
    /// The definition of the type that `name` means, with or without `struct`, `union` or `enum`.
    ///
    /// # Errors
    /// [`TypeError::UnknownType`], with the nearest names.
    pub fn definition(&self, name: &str) -> Result<Definition, TypeError> {
        let tags = ["struct ", "union ", "enum "];
        let name = tags.iter().find_map(|tag| name.strip_prefix(tag)).unwrap_or(name).trim();
        let id = self.find(name).map_err(|_| TypeError::UnknownType {
            name: name.to_owned(),
            nearest: self.names_like(name),
        })?;
        let member = |member: super::Member| DefinedMember {
            offset: member.bit_offset / 8,
            size: self.size(member.ty),
            bits: (member.bits != 0).then_some((member.bit_offset % 8, member.bits)),
            ty: self.describe(member.ty),
            name: member.name,
        };
        let named = |(name, value): (&str, i64)| Enumerator { name: name.to_owned(), value };
        Ok(Definition {
            name: self.describe(id),
            size: self.size(id),
            members: self.members(id).into_iter().map(member).collect(),
            enumerators: self.enumerators(id).into_iter().map(named).collect(),
        })
    }
}
