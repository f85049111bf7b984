//! One thing that was looked at.

use serde::Serialize;

/// What was found, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at: one word or two.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// What was found, in words.
    pub found: String,
    /// What to do; a command where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Good,
    /// Something is slower, or one feature is missing.
    Limited,
    /// Nothing works without it.
    Broken,
}

impl Check {
    /// Something that is as it should be.
    pub fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Good, found: found.into(), fix: None }
    }

    /// Something that limits what can be done, and what to do about it.
    pub fn limited(
        name: &'static str,
        found: impl Into<String>,
        fix: impl Into<Option<String>>,
    ) -> Self {
        Self { name, state: State::Limited, found: found.into(), fix: fix.into() }
    }

    /// Something without which nothing works, and what to do about it.
    pub fn broken(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, state: State::Broken, found: found.into(), fix: Some(fix.into()) }
    }
}
