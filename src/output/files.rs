//! Which formats are wanted, and where.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{github, junit, kcidb, ktap, markdown};
use crate::exit::Exit;
use crate::report;
use crate::results::Document;

/// Files to write the results to.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Results as files")]
pub struct Files {
    /// JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// KTAP, version 1
    #[arg(long, value_name = "FILE")]
    ktap: Option<PathBuf>,
    /// JSON lines, one event a line, while the run goes on
    #[arg(long, value_name = "FILE")]
    jsonl: Vec<PathBuf>,
    /// Markdown summary; on GitHub Actions the job's summary too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// KCIDB report, version 5
    #[arg(long, value_name = "FILE")]
    kcidb: Option<PathBuf>,
    /// What KCIDB calls this CI system
    #[arg(long, value_name = "NAME", default_value = "kharness", value_parser = kcidb::origin)]
    kcidb_origin: String,
    /// One self-contained HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// All of these in DIR: junit.xml, results.ktap, summary.md, kcidb.json, report.html
    #[arg(long, value_name = "DIR")]
    results_dir: Option<PathBuf>,
}

/// Writes a document in one format.
type Format = fn(&Document, &Files, &mut dyn Write) -> io::Result<()>;

impl Files {
    /// Where a run keeps copies of its journal.
    pub fn journals(&self) -> &[PathBuf] {
        &self.jsonl
    }

    /// Writes all files that are wanted, and tells GitHub Actions where it is there. One that
    /// cannot be written is told and does not keep the others from being written.
    pub fn write(&self, document: &Document) -> Exit {
        let mut exit = Exit::Good;
        for (path, format) in self.wanted() {
            if let Err(error) = write(&path, document, self, format) {
                anstream::eprintln!("kharness: cannot write {}: {error}", path.display());
                exit = Exit::Harness;
            }
        }
        if let Err(error) = github::tell(document) {
            anstream::eprintln!("kharness: cannot write the summary of the job: {error}");
        }
        exit
    }

    fn wanted(&self) -> Vec<(PathBuf, Format)> {
        let formats: [(&Option<PathBuf>, &str, Format); 5] = [
            (&self.junit, "junit.xml", |document, _, out| junit::write(document, out)),
            (&self.ktap, "results.ktap", |document, _, out| ktap::write(document, out)),
            (&self.markdown, "summary.md", |document, _, out| markdown::write(document, out)),
            (&self.kcidb, "kcidb.json", |document, files, out| {
                kcidb::write(document, &files.kcidb_origin, out)
            }),
            (&self.html, "report.html", |document, _, out| report::write(document, out)),
        ];
        let mut wanted = Vec::new();
        for (stated, name, format) in formats {
            let in_dir = self.results_dir.as_ref().map(|dir| dir.join(name));
            wanted.extend(stated.iter().cloned().chain(in_dir).map(|path| (path, format)));
        }
        wanted
    }
}

/// Replaces a file as a whole or not at all; what is no regular file, such as a pipe, is written to.
fn write(path: &Path, document: &Document, files: &Files, format: Format) -> io::Result<()> {
    if path.exists() && !path.is_file() {
        let out = OpenOptions::new().write(true).open(path)?;
        return written(out, document, files, format);
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let whole = File::create(&partial)
        .and_then(|out| written(out, document, files, format))
        .and_then(|()| fs::rename(&partial, path));
    whole.inspect_err(|_| drop(fs::remove_file(&partial)))
}

fn written(out: File, document: &Document, files: &Files, format: Format) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    format(document, files, &mut out)?;
    out.flush()
}
