//! A scalar as the file has it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
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
