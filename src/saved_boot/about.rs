//! What the harness knew of a guest when it was saved.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Identity;
use crate::run::{Boot, Counters, Past};

/// What the harness knew of a guest when it was saved: `state.harness`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Which guest it is.
    pub identity: Identity,
    /// What it holds: path, or name of a module, to what stands for its content.
    pub holds: BTreeMap<String, String>,
    /// From the start of the machine to the agent's first message, in nanoseconds.
    boot_ns: u64,
    /// What the agent could not set up.
    warnings: Vec<String>,
    /// Its counters.
    before: Option<Counters>,
    /// The first number of a request that the agent has not seen.
    next_id: u64,
}

impl About {
    /// What is known of the guest `identity`, which holds `holds` and did `past`.
    pub fn new(identity: Identity, holds: BTreeMap<String, String>, past: &Past) -> Self {
        Self {
            identity,
            holds,
            boot_ns: u64::try_from(past.boot.after.as_nanos()).unwrap_or(u64::MAX),
            warnings: past.boot.warnings.clone(),
            before: past.before.clone(),
            next_id: past.next_id,
        }
    }

    /// What it did: it booted.
    pub fn past(&self) -> Past {
        let boot = Boot {
            after: Duration::from_nanos(self.boot_ns),
            release: self.identity.release.clone(),
            warnings: self.warnings.clone(),
        };
        Past { boot, steps: Vec::new(), before: self.before.clone(), next_id: self.next_id }
    }
}
