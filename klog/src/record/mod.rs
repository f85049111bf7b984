//! From bytes to lines, from lines to records.

mod clean;
mod lines;
mod prefix;
mod split;
mod transport;
mod vendor;

pub(crate) use clean::is_plain;
pub(crate) use lines::RawLine;
pub use lines::{LineSplitter, MAX_LINE};
pub use prefix::Prefix;
pub use split::records;

use serde::Serialize;

/// Who printed a message (`CONFIG_PRINTK_CALLER`, `kernel/printk/printk.c: printk_caller_id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Caller {
    /// A task, by its thread id: `[  T123]`.
    Task(u32),
    /// A processor in interrupt context: `[    C0]`.
    Cpu(u32),
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The log level, 0 (emergency) to 7 (debug), where the log carries it.
    pub level: Option<u8>,
    /// Microseconds since boot, where the log carries them.
    pub timestamp_us: Option<u64>,
    /// Who printed it, where the kernel says so.
    pub caller: Option<Caller>,
    /// The message, without its prefix, terminal escapes and control bytes.
    pub text: String,
    /// Offset of the line's first byte in the stream.
    pub start: u64,
    /// Offset behind the line's last byte, its line end included.
    pub end: u64,
    /// Whether a prefix shows that the kernel printed this line. A program can forge it through `/dev/kmsg`.
    pub stamped: bool,
    /// Whether a user program wrote the line through `/dev/kmsg`, where the log carries the facility.
    pub from_user: bool,
}
