//! The parts of the schema that a run can fill. Nothing may be null.

use serde::Serialize;
use serde_json::Value;

/// A report.
#[derive(Serialize)]
pub struct Report {
    pub version: Version,
    pub checkouts: Vec<Checkout>,
    pub builds: Vec<Build>,
    pub tests: Vec<Test>,
}

/// Version of the schema.
#[derive(Serialize)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

/// The source that a kernel was built from, as far as it is known.
#[derive(Serialize)]
pub struct Checkout {
    pub id: String,
    pub origin: String,
    pub comment: String,
    pub valid: bool,
}

/// A kernel.
#[derive(Serialize)]
pub struct Build {
    pub id: String,
    pub checkout_id: String,
    pub origin: String,
    pub architecture: String,
    pub comment: String,
    pub status: &'static str,
    pub misc: Value,
}

/// A run of a test, or a number that it measured.
#[derive(Serialize)]
pub struct Test {
    pub id: String,
    pub build_id: String,
    pub origin: String,
    pub path: String,
    pub status: &'static str,
    pub environment: Environment,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_excerpt: Option<String>,
    pub start_time: String,
    pub duration: f64,
    pub misc: Value,
}

/// Where a test ran.
#[derive(Serialize, Clone)]
pub struct Environment {
    pub comment: String,
    pub misc: Value,
}

/// A number that a test measured.
#[derive(Serialize)]
pub struct Number {
    pub value: f64,
    pub unit: String,
}
