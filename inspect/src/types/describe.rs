//! Types in the words of C.

use super::kind::raw;
use super::{Btf, Kind, TypeId};

/// Pointers, arrays and modifiers in one type at most.
const MAX_DEPTH: u32 = 16;

impl Btf {
    /// The type as C writes it: `struct task_struct *`, `unsigned int [4]`.
    #[must_use]
    pub fn describe(&self, id: TypeId) -> String {
        self.describe_to(id, MAX_DEPTH)
    }

    fn describe_to(&self, id: TypeId, depth: u32) -> String {
        if depth == 0 {
            return "...".to_owned();
        }
        let inner = |id| self.describe_to(id, depth - 1);
        match self.kind(id) {
            Kind::Void => "void".to_owned(),
            Kind::Pointer(target) => {
                let target = inner(target);
                let space = if target.ends_with('*') { "" } else { " " };
                format!("{target}{space}*")
            }
            Kind::Array { element, count } => format!("{} [{count}]", inner(element)),
            Kind::Modifier(target) => format!("{}{}", self.modifier(id), inner(target)),
            Kind::Struct { .. } => self.tagged("struct", id),
            Kind::Union { .. } => self.tagged("union", id),
            Kind::Enum { .. } => self.tagged("enum", id),
            Kind::Forward => self.tagged("struct", id),
            Kind::Function => "function".to_owned(),
            _ => self.name(id).to_owned(),
        }
    }

    fn tagged(&self, tag: &str, id: TypeId) -> String {
        match self.name(id) {
            "" => format!("{tag} {{...}}"),
            name => format!("{tag} {name}"),
        }
    }

    fn modifier(&self, id: TypeId) -> &'static str {
        match self.raw(id).map(|(_, raw)| raw.kind) {
            Some(raw::CONST) => "const ",
            Some(raw::VOLATILE) => "volatile ",
            _ => "",
        }
    }
}
