//! The database.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use super::tables::{self, Past};
use crate::gate::{Seen, Side};
use crate::results::{Better, Document, Measure, Status};

/// How long to wait for another harness that writes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The database refuses.
    #[error("history {path}: {error}")]
    Database {
        /// The database.
        path: PathBuf,
        /// What it says.
        error: rusqlite::Error,
    },
    /// Its directory cannot be made.
    #[error("history {path}: {error}")]
    Directory {
        /// The database.
        path: PathBuf,
        /// What the host says.
        error: io::Error,
    },
    /// It is from a later version.
    #[error(
        "history {path} has version {found}; this kharness knows up to {}: update it",
        tables::VERSION
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
}

/// Past runs.
pub struct Store {
    path: PathBuf,
    connection: Connection,
}

impl Store {
    /// Opens the database at `path`, or makes it. A write that was killed is undone by SQLite's
    /// log the next time, and others may read meanwhile.
    ///
    /// # Errors
    /// When it is no database, is from a later version, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)
                .map_err(|error| HistoryError::Directory { path: path.to_owned(), error })?;
        }
        let of = |error| HistoryError::Database { path: path.to_owned(), error };
        let mut connection = Connection::open(path).map_err(of)?;
        connection.busy_timeout(PATIENCE).map_err(of)?;
        connection.pragma_update(None, "journal_mode", "wal").map_err(of)?;
        connection.pragma_update(None, "synchronous", "normal").map_err(of)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(of)?;
        let found = prepare(&mut connection).map_err(of)?;
        if found > tables::VERSION {
            return Err(HistoryError::Newer { path: path.to_owned(), found });
        }
        Ok(Self { path: path.to_owned(), connection })
    }

    /// Records a run, all of it or nothing.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn record(&mut self, document: &Document) -> Result<(), HistoryError> {
        let insert = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            tables::insert(&transaction, document)?;
            transaction.commit()
        };
        insert(&mut self.connection).map_err(|error| self.error(error))
    }

    /// Every result, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn results(&self) -> Result<Vec<Past>, HistoryError> {
        let all = "SELECT id FROM run WHERE ?1 = ''";
        tables::results(&self.connection, all, "").map_err(|error| self.error(error))
    }

    /// How long each test took when it last came to a verdict, in milliseconds, by its id without repetitions.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn durations(&self) -> Result<HashMap<String, u64>, HistoryError> {
        tables::durations(&self.connection).map_err(|error| self.error(error))
    }

    /// What the runs say that `name` stands for: `last`, the id of a run, or the release of a
    /// kernel. `None` where there are none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn side(&self, name: &str) -> Result<Option<Side>, HistoryError> {
        let ways = [
            "SELECT id FROM run WHERE ?1 = 'last' AND id = \
             (SELECT id FROM run WHERE NOT interrupted ORDER BY started DESC, id DESC LIMIT 1)",
            "SELECT id FROM run WHERE id = ?1",
            "SELECT run FROM result WHERE release = ?1",
        ];
        for runs in ways {
            let past = tables::results(&self.connection, runs, name);
            let mut past = past.map_err(|error| self.error(error))?;
            if runs.contains("release") {
                past.retain(|past| past.release == name);
            }
            if !past.is_empty() {
                return self.side_of(&past).map(Some).map_err(|error| self.error(error));
            }
        }
        Ok(None)
    }

    /// How many runs there are, and whether the database is whole.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn check(&self) -> Result<(u32, String), HistoryError> {
        let count = |connection: &Connection| {
            let runs = connection.query_row("SELECT count(*) FROM run", [], |row| row.get(0))?;
            let whole = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
            Ok((runs, whole))
        };
        count(&self.connection).map_err(|error| self.error(error))
    }

    fn side_of(&self, past: &[Past]) -> rusqlite::Result<Side> {
        let mut side = Side::default();
        for past in past {
            side.runs.push(past.run.clone());
            side.kernels.push(past.release.clone());
            let seen = side.tests.entry(past.test.clone()).or_default();
            self.add(seen, past)?;
        }
        for names in [&mut side.runs, &mut side.kernels] {
            names.sort();
            names.dedup();
        }
        Ok(side)
    }

    fn add(&self, seen: &mut Seen, past: &Past) -> rusqlite::Result<()> {
        seen.count(past.status);
        if past.status != Status::Pass {
            seen.cause = past.cause.clone().or(seen.cause.take());
        }
        let mut reports = self.connection.prepare_cached(
            "SELECT kind, title, fingerprint, expected, corrupted FROM report WHERE result = ?1",
        )?;
        let mut rows = reports.query([past.row])?;
        while let Some(row) = rows.next()? {
            let (kind, title): (String, String) = (row.get(0)?, row.get(1)?);
            seen.add_report(&kind, &title, &row.get::<_, String>(2)?, row.get(3)?, row.get(4)?);
        }
        if past.status.is_good() {
            for (name, measure) in self.measures(past.row)? {
                seen.add_measure(&name, &measure, past.overloaded.is_some());
            }
        }
        Ok(())
    }

    /// The numbers of a result, by name.
    fn measures(&self, row: i64) -> rusqlite::Result<Vec<(String, Measure)>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT name, value, unit, better FROM measure WHERE result = ?1")?;
        let rows = statement.query_map([row], |row| {
            let better =
                if row.get::<_, String>(3)? == "higher" { Better::Higher } else { Better::Lower };
            Ok((row.get(0)?, Measure { value: row.get(1)?, unit: row.get(2)?, better }))
        })?;
        rows.collect()
    }

    /// The numbers of a result, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn numbers(&self, past: &Past) -> Result<Vec<(String, Measure)>, HistoryError> {
        self.measures(past.row).map_err(|error| self.error(error))
    }

    fn error(&self, error: rusqlite::Error) -> HistoryError {
        HistoryError::Database { path: self.path.clone(), error }
    }
}

/// Makes the tables where there are none. Gives the version of those that there are.
fn prepare(connection: &mut Connection) -> rusqlite::Result<i64> {
    let version = |connection: &Connection| {
        let found = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).optional();
        found.map(Option::unwrap_or_default)
    };
    let found: i64 = version(connection)?;
    if found != 0 {
        return Ok(found);
    }
    // Another harness may be at the same: who comes second finds the tables made.
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = version(&transaction)?;
    if found == 0 {
        transaction.execute_batch(tables::CREATE)?;
        transaction.pragma_update(None, "user_version", tables::VERSION)?;
    }
    transaction.commit()?;
    Ok(found.max(tables::VERSION))
}
