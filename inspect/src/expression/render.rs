//! Values as JSON, from which the text form is made, too.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::ExpressionError;
use super::value::Value;
use crate::Address;
use crate::kernel::Kernel;
use crate::types::{Kind, TypeId};

/// Structs inside of each other that are printed; deeper ones are given by their type.
const MAX_DEPTH: u32 = 3;
/// Elements of an array that are printed.
const MAX_ELEMENTS: u32 = 64;
/// Members and elements printed altogether.
const MAX_NODES: u32 = 8192;

/// The value of an expression.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Printed {
    /// The expression.
    pub expression: String,
    /// Type in the words of C.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Where the value is in guest memory; none for one that the expression made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Integers as numbers, booleans, enumerators and text as strings, pointers as `"0x..."`, arrays,
    /// structs as objects. What cannot be read is `null`.
    pub value: Json,
}

impl Printed {
    pub(super) fn new(
        kernel: &Kernel,
        expression: &str,
        value: Value,
    ) -> Result<Self, ExpressionError> {
        // The value itself must be there; members that are not are null.
        let size = if value.ty.pointers > 0 { 8 } else { kernel.types().size(value.ty.id) };
        if let Some(address) = value.address().filter(|_| size > 0) {
            kernel.space().unsigned(address, 1)?;
        }
        let mut renderer = Renderer { kernel, left: MAX_NODES };
        Ok(Self {
            expression: expression.to_owned(),
            type_name: value.ty.describe(kernel),
            address: value.address().map(Address),
            value: renderer.render(&value, MAX_DEPTH),
        })
    }
}

struct Renderer<'a> {
    kernel: &'a Kernel,
    left: u32,
}

impl Renderer<'_> {
    fn render(&mut self, value: &Value, depth: u32) -> Json {
        self.left = self.left.saturating_sub(1);
        let scalar = || value.scalar(self.kernel).ok();
        if value.ty.target(self.kernel).is_some() {
            return scalar().map_or(Json::Null, |pointer| self.pointer(pointer));
        }
        let types = self.kernel.types();
        let id = types.resolve(value.ty.id);
        match types.kind(id) {
            Kind::Struct { .. } | Kind::Union { .. } => self.members(id, value, depth),
            Kind::Array { element, count } => self.array(element, count, value, depth),
            Kind::Int { boolean: true, .. } => scalar().map_or(Json::Null, |bit| json!(bit != 0)),
            Kind::Int { signed: true, .. } => {
                scalar().map_or(Json::Null, |int| json!(int.cast_signed()))
            }
            Kind::Int { .. } => scalar().map_or(Json::Null, |int| json!(int)),
            Kind::Enum { .. } => scalar().map_or(Json::Null, |int| self.enumerator(id, int)),
            _ => Json::Null,
        }
    }

    /// A pointer to code or to a variable is named, too.
    fn pointer(&self, pointer: u64) -> Json {
        match self.kernel.locate(pointer) {
            Some(_) => json!(format!("{pointer:#x} <{}>", self.kernel.symbolize(pointer))),
            None => json!(Address(pointer)),
        }
    }

    fn enumerator(&self, id: TypeId, value: u64) -> Json {
        let enumerators = self.kernel.types().enumerators(id);
        let known = enumerators.iter().find(|(_, number)| *number == value.cast_signed());
        known.map_or_else(|| json!(value.cast_signed()), |(name, _)| json!(name))
    }

    fn members(&mut self, id: TypeId, value: &Value, depth: u32) -> Json {
        let Some(depth) = depth.checked_sub(1).filter(|_| self.left > 0) else {
            return json!(format!("{{{}}}", self.kernel.types().describe(id)));
        };
        let mut object = Map::new();
        for member in self.kernel.types().members(id) {
            if self.left == 0 {
                break;
            }
            let json = match value.member(self.kernel, &member.name) {
                Ok(part) => self.render(&part, depth),
                Err(_) => Json::Null,
            };
            object.entry(member.name).or_insert(json);
        }
        Json::Object(object)
    }

    fn array(&mut self, element: TypeId, count: u32, value: &Value, depth: u32) -> Json {
        if let Some(text) = self.text(element, count, value) {
            return json!(text);
        }
        let shown = count.min(MAX_ELEMENTS).min(self.left);
        let elements = (0..shown).map(|index| match value.element(self.kernel, index.into()) {
            Ok(part) => self.render(&part, depth),
            Err(_) => Json::Null,
        });
        let mut elements: Vec<Json> = elements.collect();
        if count > shown {
            elements.push(json!(format!("... {} more", count - shown)));
        }
        Json::Array(elements)
    }

    /// A `char` array as text.
    fn text(&self, element: TypeId, count: u32, value: &Value) -> Option<String> {
        let types = self.kernel.types();
        let is_char = types.size(element) == 1 && types.name(types.resolve(element)) == "char";
        let length = (count.min(4096)) as usize;
        let bytes = self.kernel.space().bytes(value.address().filter(|_| is_char)?, length).ok()?;
        let end = memchr::memchr(0, &bytes).unwrap_or(bytes.len());
        Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }
}
