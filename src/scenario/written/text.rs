//! A scalar as the file has it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use crate::scenario::problem::Problems;
use crate::scenario::source::Place;

/// The text and place of a scalar that means a `T`. What it means is found out when the file is
/// checked and not while it is parsed, so that one bad value does not hide the next.
pub struct Text<T> {
    text: String,
    place: Place,
    means: PhantomData<fn() -> T>,
}

impl<T> Text<T> {
    /// Where it stands.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<T: FromStr<Err: fmt::Display>> Text<T> {
    /// What it means; nothing, and a problem more, where it means nothing.
    pub fn read(&self, problems: &mut Problems) -> Option<T> {
        self.text.parse().map_err(|error: T::Err| problems.add(self.place, error.to_string())).ok()
    }
}

impl<'de, T> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self { text: spanned.value, place: spanned.referenced.into(), means: PhantomData })
    }
}

impl<T: JsonSchema> JsonSchema for Text<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// The value of a key that need not be there. A key that is there has a value: unlike an `Option`
/// this takes no null, so that `expect:` with every entry commented out is a mistake.
#[derive(Debug, Clone)]
pub struct Given<T>(pub Option<T>);

impl<T> Default for Given<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: FromStr<Err: fmt::Display>> Given<Text<T>> {
    /// What it means, if it is there and means anything.
    pub fn read(&self, problems: &mut Problems) -> Option<T> {
        self.0.as_ref()?.read(problems)
    }
}

impl Given<BTreeMap<String, Word>> {
    /// The mapping as text; empty where it is not there.
    pub fn words(self) -> BTreeMap<String, String> {
        self.0.into_iter().flatten().map(|(key, Word(value))| (key, value)).collect()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self(Some(value)))
    }
}

impl<T: JsonSchema> JsonSchema for Given<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Text that may look like a number or a boolean: `3` and `true` are words too, as they stand.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Word(pub String);

impl JsonSchema for Word {
    fn schema_name() -> Cow<'static, str> {
        "Word".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// A value and the place where it stands.
#[derive(Debug, Clone)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        Ok(Self { value: spanned.value, place: spanned.referenced.into() })
    }
}

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
