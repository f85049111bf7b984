//! `kharness kernel list`: the kernels in the cache.

use std::io::{self, Write};

use chrono::{DateTime, Local};
use guest_image::kernel::Cache;
use guest_image::kernel::cache::{Entry, Origin};

use super::failure;
use super::size::mebibytes;
use crate::error::Failure;
use crate::exit::Exit;

/// Arguments of `kharness kernel list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lists the kernels, newest first.
///
/// # Errors
/// When the cache cannot be read.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let cache = Cache::open().map_err(|e| failure::of_cache(&e))?;
    let entries = cache.entries().map_err(|e| failure::of_cache(&e))?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&entries).map_err(io::Error::from)?)?;
    } else if entries.is_empty() {
        let root = cache.root().display();
        writeln!(out, "no kernels in {root}; get one with `kharness kernel fetch debian`")?;
    } else {
        print_table(&mut out, &entries)?;
    }
    Ok(Exit::Good)
}

fn print_table(out: &mut impl Write, entries: &[Entry]) -> io::Result<()> {
    let head = ["NAME", "ALIAS", "RELEASE", "ARCH", "SIZE", "SINCE", "FROM"].map(String::from);
    let rows: Vec<[String; 7]> = [head].into_iter().chain(entries.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    for row in &rows {
        let cells = row.iter().enumerate().map(|(i, cell)| format!("{cell:0$}", width(i)));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn row(entry: &Entry) -> [String; 7] {
    [
        entry.name.clone(),
        entry.alias.clone(),
        entry.release.clone(),
        entry.arch.to_string(),
        mebibytes(entry.size),
        date(entry.created),
        from(&entry.origin),
    ]
}

fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|s| DateTime::from_timestamp(s, 0));
    time.map(|time| time.with_timezone(&Local).format("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// Where a kernel comes from, in a few words.
pub fn from(origin: &Origin) -> String {
    match origin {
        Origin::Package { package, version } => format!("{package} {version}"),
        Origin::Build { source, toolchain, .. } => format!("{source}, {toolchain}"),
    }
}
