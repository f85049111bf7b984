//! What the agent tells the harness.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Data;

/// One message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Message {
    /// First message of a connection.
    Ready {
        /// [`crate::VERSION`] of the agent.
        version: u32,
        /// `uname -r`.
        release: String,
        /// `uname -m`.
        machine: String,
        /// CPUs online.
        cpus: u32,
        /// `CLOCK_BOOTTIME` in milliseconds.
        uptime_ms: u64,
        /// What the agent could not do while setting the guest up, a line each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
    },
    /// A program wrote this.
    Output {
        /// Request that started the program.
        id: u64,
        /// Which of its streams.
        stream: Stream,
        /// The bytes, in order, in any chunks.
        data: Data,
    },
    /// A program of a `Spawn` request ended.
    Exited {
        /// Id of the `Spawn` request.
        id: u64,
        /// How it ended.
        ended: Ended,
    },
    /// A line from the harness is not a request: a bug in the harness, or a damaged channel.
    Rejected {
        /// What is wrong with the line.
        reason: String,
    },
    /// The answer to request `id`.
    Done {
        /// Id of the request.
        id: u64,
        /// What came of it.
        outcome: Outcome,
    },
}

/// Standard streams of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Done, nothing to say.
    Ok,
    /// A program was started.
    Started {
        /// Its pid in the guest.
        pid: u32,
    },
    /// A program ended (`Run`, `Wait`).
    Ended(Ended),
    /// A file's contents.
    Contents(Data),
    /// The guest's counters.
    Sample(Sample),
    /// It could not be done.
    Failed(Failure),
}

/// How a program ended. One of `code` and `signal` is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Pid it had.
    pub pid: u32,
    /// Exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// Signal that killed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// What it used.
    pub usage: Usage,
}

/// Resource usage of a program and its waited-for children: `getrusage(2)`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// User CPU time in microseconds.
    pub user_us: u64,
    /// System CPU time in microseconds.
    pub system_us: u64,
    /// Peak resident set in KiB.
    pub max_rss_kib: u64,
    /// Minor page faults.
    pub minor_faults: u64,
    /// Major page faults.
    pub major_faults: u64,
    /// Voluntary context switches.
    pub voluntary_switches: u64,
    /// Involuntary context switches.
    pub involuntary_switches: u64,
}

/// The guest's counters at one moment, as its kernel prints them: to read numbers is the harness's work, because each
/// copy of a guest that is emulated has to translate the code for it anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// `CLOCK_BOOTTIME` in milliseconds.
    pub uptime_ms: u64,
    /// Kernel taint mask, `/proc/sys/kernel/tainted`.
    pub taint: u64,
    /// Path to text, of those of [`COUNTER_FILES`] that the kernel has.
    pub files: BTreeMap<String, String>,
}

/// The files of a sample.
pub const COUNTER_FILES: [&str; 6] = [
    "/proc/meminfo",
    "/proc/vmstat",
    "/proc/loadavg",
    "/proc/pressure/cpu",
    "/proc/pressure/memory",
    "/proc/pressure/io",
];

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong, in words, with the name of what it went wrong on.
    pub message: String,
    /// `errno(3)` value, where a system call failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
}
