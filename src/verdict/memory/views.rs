//! The moments of a guest that expressions can look at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use cel::Context;
use inspect::Kernel;
use serde_json::{Map, Value};

use super::{functions, parts};
use crate::memory::Memory;

/// Name of the view that `memory` is.
pub(super) const NOW: &str = "memory";

/// One moment; opened when it is first asked for.
struct View {
    path: PathBuf,
    kernel: OnceLock<Result<Arc<Kernel>, String>>,
}

/// The moments that one expression can look at: `memory`, and the snapshots by name.
#[derive(Default)]
pub struct Views {
    views: BTreeMap<String, View>,
}

impl Views {
    /// What expectations of the step `step`, or of the whole scenario, can look at.
    pub fn of(memory: &Memory, step: Option<&str>) -> Self {
        let now = match step {
            Some(step) => memory.steps.get(step),
            None => memory.last(),
        };
        let now = now.map(|path| (NOW.to_owned(), path.clone()));
        let named = memory.named.iter().map(|(name, path)| (snapshot(name), path.clone()));
        let view = |path| View { path, kernel: OnceLock::new() };
        Self {
            views: now.into_iter().chain(named).map(|(name, path)| (name, view(path))).collect(),
        }
    }

    /// One moment: a guest that stands still.
    pub fn live(kernel: Arc<Kernel>) -> Self {
        let kernel = OnceLock::from(Ok(kernel));
        let view = View { path: PathBuf::new(), kernel };
        Self { views: [(NOW.to_owned(), view)].into() }
    }

    /// Whether there is a moment that `memory` means.
    pub fn has_now(&self) -> bool {
        self.views.contains_key(NOW)
    }

    /// The kernel of a view.
    ///
    /// # Errors
    /// When there is no such view, or no kernel in it.
    pub fn kernel(&self, name: &str) -> Result<Arc<Kernel>, String> {
        let view = self.views.get(name).ok_or_else(|| format!("there is no {}", words(name)))?;
        view.kernel.get_or_init(|| open(view).map(Arc::new)).clone()
    }

    /// Adds `memory` and `snapshots`, with those of their members that `wanted` names, and the functions.
    ///
    /// # Errors
    /// When a view cannot be read.
    pub fn add_to(
        self: &Arc<Self>,
        context: &mut Context<'static, 'static>,
        wanted: &BTreeSet<String>,
    ) -> Result<(), String> {
        let mut snapshots = Map::new();
        for name in self.views.keys() {
            let value = parts::read(&*self.kernel(name)?, name, wanted)?;
            match name.strip_prefix(SNAPSHOT) {
                Some(name) => drop(snapshots.insert(name.to_owned(), value)),
                None => add(context, NOW, value)?,
            }
        }
        add(context, "snapshots", Value::Object(snapshots))?;
        functions::add(context, self).map_err(|error| error.to_string())
    }
}

fn add(context: &mut Context, name: &str, value: Value) -> Result<(), String> {
    context.add_variable(name, value).map_err(|error| format!("{name}: {error}"))
}

fn open(view: &View) -> Result<Kernel, String> {
    let dump = inspect::dump::open(&view.path).map_err(|error| error.to_string())?;
    Kernel::attach(dump).map_err(|error| error.to_string())
}

/// Begins the name of the view of a snapshot.
const SNAPSHOT: &str = "snapshot ";

/// The view of a snapshot.
pub(super) fn snapshot(name: &str) -> String {
    format!("{SNAPSHOT}{name}")
}

fn words(view: &str) -> String {
    match view.strip_prefix(SNAPSHOT) {
        Some(name) => format!("snapshot `{name}`"),
        None => "memory of the guest".to_owned(),
    }
}
