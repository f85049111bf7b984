//! Constraints between keys, for the JSON Schema. The checks of `resolve` are the same, in words.

use schemars::Schema;
use serde_json::{Map, Value, json};

/// Exactly one of `keys` is there.
pub fn one_of(schema: &mut Schema, keys: &[&str]) {
    schema.insert("oneOf".to_owned(), required(keys));
}

/// At least one of `keys` is there.
pub fn any_of(schema: &mut Schema, keys: &[&str]) {
    schema.insert("anyOf".to_owned(), required(keys));
}

/// None of `keys` is there without `other`.
pub fn only_with(schema: &mut Schema, keys: &[&str], other: &str) {
    let needs: Map<String, Value> =
        keys.iter().map(|&key| (key.to_owned(), json!([other]))).collect();
    schema.insert("dependentRequired".to_owned(), Value::Object(needs));
}

fn required(keys: &[&str]) -> Value {
    keys.iter().map(|key| json!({ "required": [key] })).collect()
}
