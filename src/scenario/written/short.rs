//! Values with a short form: a string or a list where a mapping would say more.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Word;

/// A mapping `Full`, or a string for short.
#[derive(Debug, Clone)]
pub enum StringOr<Full> {
    /// The short form.
    Short(String),
    /// The mapping.
    Full(Full),
}

/// A mapping `Full`, or a list of words for short.
#[derive(Debug, Clone)]
pub enum ListOr<Full> {
    /// The short form.
    Short(Vec<Word>),
    /// The mapping.
    Full(Full),
}

struct StringOrVisitor<Full>(PhantomData<Full>);

impl<'de, Full: Deserialize<'de>> Visitor<'de> for StringOrVisitor<Full> {
    type Value = StringOr<Full>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a mapping")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(StringOr::Short(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Full::deserialize(MapAccessDeserializer::new(map)).map(StringOr::Full)
    }
}

struct ListOrVisitor<Full>(PhantomData<Full>);

impl<'de, Full: Deserialize<'de>> Visitor<'de> for ListOrVisitor<Full> {
    type Value = ListOr<Full>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of strings or a mapping; a line for the shell goes into `shell:`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(ListOr::Short)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Full::deserialize(MapAccessDeserializer::new(map)).map(ListOr::Full)
    }
}

impl<'de, Full: Deserialize<'de>> Deserialize<'de> for StringOr<Full> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StringOrVisitor(PhantomData))
    }
}

impl<'de, Full: Deserialize<'de>> Deserialize<'de> for ListOr<Full> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListOrVisitor(PhantomData))
    }
}

impl<Full: JsonSchema> JsonSchema for StringOr<Full> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrString", Full::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<Full>();
        json_schema!({ "anyOf": [{ "type": "string" }, full] })
    }
}

impl<Full: JsonSchema> JsonSchema for ListOr<Full> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrList", Full::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let words = generator.subschema_for::<Word>();
        let full = generator.subschema_for::<Full>();
        json_schema!({
            "anyOf": [{ "type": "array", "items": words, "minItems": 1 }, full]
        })
    }
}
