//! Reads a log, packed or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use klog::{Item, Report, Scanner};

/// Bytes read at a time.
const CHUNK: usize = 1 << 18;
/// First bytes of a gzip member (RFC 1952, 2.3.1).
const GZIP: &[u8] = &[0x1f, 0x8b];
/// First bytes of a Zstandard frame (RFC 8878, 3.1.1).
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file is not there, or not readable.
    #[error("cannot open the log `{path}`: {source}")]
    Open {
        /// As given.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// Reading failed midway: a broken archive, most often.
    #[error("cannot read the log `{path}` behind byte {offset}: {source}; is the file complete?")]
    Read {
        /// As given.
        path: String,
        /// Unpacked bytes that were read.
        offset: u64,
        /// What the system or the unpacker says.
        source: io::Error,
    },
}

/// The reports of the log at `path`; `-` is standard input. Offsets count unpacked bytes.
///
/// # Errors
/// When the log cannot be opened, read or unpacked.
pub fn reports(path: &Path) -> Result<Vec<Report>, InputError> {
    let name = path.display().to_string();
    let open = |source| InputError::Open { path: name.clone(), source };
    if name == "-" {
        return scan(unpacked(Box::new(io::stdin().lock())).map_err(open)?, &name);
    }
    let file = File::open(path).and_then(no_directory).map_err(open)?;
    scan(unpacked(Box::new(file)).map_err(open)?, &name)
}

/// A directory opens like a file and fails at the first read only.
fn no_directory(file: File) -> io::Result<File> {
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(file)
}

/// The plain bytes of `raw`, whatever it is packed with.
fn unpacked(raw: Box<dyn Read + '_>) -> io::Result<Box<dyn Read + '_>> {
    let mut raw = BufReader::with_capacity(CHUNK, raw);
    let head = raw.fill_buf()?;
    if head.starts_with(GZIP) {
        return Ok(Box::new(MultiGzDecoder::new(raw)));
    }
    if head.starts_with(ZSTD) {
        return Ok(Box::new(zstd::Decoder::with_buffer(raw)?));
    }
    Ok(Box::new(raw))
}

fn scan(mut log: impl Read, name: &str) -> Result<Vec<Report>, InputError> {
    let mut scanner = Scanner::reports_only();
    let mut chunk = vec![0; CHUNK];
    let mut offset = 0_u64;
    loop {
        match log.read(&mut chunk) {
            Ok(0) => break,
            Ok(len) => {
                scanner.feed(&chunk[..len]);
                offset += len as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(InputError::Read { path: name.to_owned(), offset, source }),
        }
    }
    scanner.finish();
    let mut reports: Vec<Report> = scanner.drain().filter_map(into_report).collect();
    // A report comes out when it is complete, which need not be in the order of the log.
    reports.sort_by_key(|report| report.start);
    Ok(reports)
}

fn into_report(item: Item) -> Option<Report> {
    match item {
        Item::Report(report) => Some(*report),
        Item::Record(_) => None,
    }
}
