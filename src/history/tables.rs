//! The tables, and how rows get into and out of them.

use std::collections::HashMap;

use rusqlite::{Connection, Row, Transaction, params};

use crate::results::{Document, Status, TestResult};

/// Version of the tables, in the database's `user_version`.
pub const VERSION: i64 = 1;

/// One row a run; below it one a result; below that one a number and one a kernel report.
pub const CREATE: &str = "
CREATE TABLE run (
    id TEXT PRIMARY KEY, started TEXT NOT NULL, host TEXT NOT NULL, backend TEXT NOT NULL,
    seed TEXT NOT NULL, duration_ms INTEGER NOT NULL, interrupted INTEGER NOT NULL, dir TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX run_started ON run (started);
CREATE TABLE result (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    test TEXT NOT NULL, name TEXT NOT NULL, kernel TEXT NOT NULL, release TEXT NOT NULL,
    status TEXT NOT NULL, duration_ms INTEGER NOT NULL, boot_ms INTEGER, overloaded TEXT, cause TEXT
);
CREATE INDEX result_run ON result (run);
CREATE INDEX result_test ON result (test);
CREATE TABLE measure (
    result INTEGER NOT NULL REFERENCES result (id) ON DELETE CASCADE,
    name TEXT NOT NULL, value REAL NOT NULL, unit TEXT NOT NULL, better TEXT NOT NULL
);
CREATE INDEX measure_result ON measure (result);
CREATE TABLE report (
    result INTEGER NOT NULL REFERENCES result (id) ON DELETE CASCADE,
    kind TEXT NOT NULL, title TEXT NOT NULL, fingerprint TEXT NOT NULL,
    expected INTEGER NOT NULL, corrupted INTEGER NOT NULL
);
CREATE INDEX report_result ON report (result);
";

/// Adds a run; one that is there already is replaced, as a later look at the same run knows more.
pub fn insert(transaction: &Transaction, document: &Document) -> rusqlite::Result<()> {
    let run = &document.run;
    transaction.execute("DELETE FROM run WHERE id = ?1", [&run.id])?;
    transaction.execute(
        "INSERT INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            run.id,
            run.started,
            run.host.name,
            run.backend,
            run.seed.to_string(),
            whole(run.duration_ms),
            run.interrupted,
            run.dir
        ],
    )?;
    for result in &document.results {
        insert_result(transaction, document, result)?;
    }
    Ok(())
}

fn insert_result(
    transaction: &Transaction,
    document: &Document,
    result: &TestResult,
) -> rusqlite::Result<()> {
    let attempt = result.attempts.last();
    let overload = attempt.and_then(|attempt| attempt.host).and_then(|host| host.overload());
    let release = document.kernels.iter().find(|kernel| kernel.name == result.kernel);
    let release = release.or(document.kernels.first()).map(|kernel| kernel.release.as_str());
    let mut statement = transaction.prepare_cached(
        "INSERT INTO result (run, test, name, kernel, release, status, duration_ms, boot_ms, \
         overloaded, cause) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let id = statement.insert(params![
        document.run.id,
        crate::gate::base_id(&result.id),
        result.id,
        result.kernel,
        release.unwrap_or_default(),
        result.status.to_string(),
        whole(result.duration_ms),
        attempt.and_then(|attempt| attempt.boot_ms).map(whole),
        overload,
        result.cause
    ])?;
    let mut measures =
        transaction.prepare_cached("INSERT INTO measure VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (name, measure) in &result.measures {
        let better = words(&measure.better);
        measures.execute(params![id, name, measure.value, measure.unit, better])?;
    }
    let mut reports =
        transaction.prepare_cached("INSERT INTO report VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for report in &result.reports {
        let (kind, title, fingerprint) = (&report.kind, &report.title, &report.fingerprint);
        reports.execute(params![
            id,
            kind,
            title,
            fingerprint,
            report.expected,
            report.corrupted
        ])?;
    }
    Ok(())
}

/// SQLite's integers are signed.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A plain enum as the word that results have for it.
fn words(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// A word of results as its enum; an unknown one, from a later version, is an error of the host.
pub fn status(word: &str) -> Status {
    serde_json::from_value(word.into()).unwrap_or(Status::Error)
}

/// One result of the past.
#[derive(Debug, Clone)]
pub struct Past {
    /// Row of the result.
    pub row: i64,
    /// Run.
    pub run: String,
    /// Its start, RFC 3339.
    pub started: String,
    /// Test id, repetitions together.
    pub test: String,
    /// Release of the kernel.
    pub release: String,
    /// What became of it.
    pub status: Status,
    /// Wall time in milliseconds.
    pub duration_ms: i64,
    /// What the host was short of.
    pub overloaded: Option<String>,
    /// Why it was not good.
    pub cause: Option<String>,
}

/// Results whose run is one of `SELECT id FROM run …`, oldest first.
pub fn results(connection: &Connection, runs: &str, argument: &str) -> rusqlite::Result<Vec<Past>> {
    let mut statement = connection.prepare(&format!(
        "SELECT result.id, run.id, run.started, test, release, status, result.duration_ms, \
         overloaded, cause FROM result JOIN run ON run.id = result.run \
         WHERE run.id IN ({runs}) ORDER BY run.started, run.id, result.id"
    ))?;
    statement.query_map([argument], past)?.collect()
}

/// How long each test took when it last came to a verdict, in milliseconds.
pub fn durations(connection: &Connection) -> rusqlite::Result<HashMap<String, u64>> {
    // With max(), SQLite takes the other columns from the row that has it (lang_select.html, "bare columns").
    let mut statement = connection.prepare(
        "SELECT test, duration_ms, max(id) FROM result WHERE status NOT IN ('skip', 'error') GROUP BY test",
    )?;
    let row = |row: &Row| Ok((row.get(0)?, row.get::<_, i64>(1)?.try_into().unwrap_or_default()));
    statement.query_map([], row)?.collect()
}

fn past(row: &Row) -> rusqlite::Result<Past> {
    Ok(Past {
        row: row.get(0)?,
        run: row.get(1)?,
        started: row.get(2)?,
        test: row.get(3)?,
        release: row.get(4)?,
        status: status(&row.get::<_, String>(5)?),
        duration_ms: row.get(6)?,
        overloaded: row.get(7)?,
        cause: row.get(8)?,
    })
}
