//! What the harness asks of the agent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Data;

/// One request. The agent answers each with exactly one [`crate::Message::Done`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the harness, unique in a connection.
    pub id: u64,
    /// Step that this request belongs to: the agent writes its marker to `/dev/kmsg` first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What to do.
    #[serde(flatten)]
    pub op: Op,
}

/// The operations of the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Op {
    /// Answer at once: proves that the agent is alive.
    Ping,
    /// Run a program and answer when it has ended and what it wrote was sent. Processes it leaves
    /// behind may still write: their `Message::Output` comes later, with the same id.
    Run(Command),
    /// Start a program and answer when it runs; its end comes later as `Message::Exited`
    /// with this request's id.
    Spawn(Command),
    /// Send `signal` (a number) to the program of request `target` and all of its group.
    Kill {
        /// Id of the `Run` or `Spawn` request.
        target: u64,
        /// Signal number, such as 9.
        signal: i32,
    },
    /// Wait for the end of the program of `Spawn` request `target`.
    Wait {
        /// Id of the `Spawn` request.
        target: u64,
    },
    /// Type into the terminal of a program that has one.
    Type {
        /// Id of the `Run` or `Spawn` request.
        target: u64,
        /// What the keys send.
        data: Data,
    },
    /// Change the size of the terminal of a program that has one.
    Resize {
        /// Id of the `Run` or `Spawn` request.
        target: u64,
        /// The new size.
        size: TerminalSize,
    },
    /// Set scheduling attributes of a spawned program: of all threads that it has by then.
    Sched {
        /// Id of the `Spawn` request.
        target: u64,
        /// What to set.
        sched: Sched,
    },
    /// Write `value` to a file, such as one in procfs, sysfs or debugfs, in one `write(2)`.
    /// A cgroup that the path names below `/sys/fs/cgroup` is made if missing.
    Write {
        /// Absolute path.
        path: String,
        /// Bytes to write, exactly.
        value: Data,
    },
    /// Read a file of at most [`crate::MAX_READ`] bytes.
    Read {
        /// Absolute path.
        path: String,
    },
    /// Set a sysctl by its dotted name.
    Sysctl {
        /// Name as sysctl(8) takes it, such as `vm.overcommit_memory`.
        name: String,
        /// Value to write.
        value: String,
    },
    /// Write one character to `/proc/sysrq-trigger`.
    Sysrq {
        /// The command key.
        key: char,
    },
    /// Load a module of the image with `finit_module(2)`, dependencies first.
    Load {
        /// Module name, without `.ko`.
        module: String,
        /// Parameters, as on modprobe's command line.
        #[serde(default)]
        params: BTreeMap<String, String>,
    },
    /// Unload a module with `delete_module(2)`.
    Unload {
        /// Module name.
        module: String,
    },
    /// Take one sample of the guest's counters.
    Sample,
    /// Go on as a copy of the guest that was booted: every copy wakes up with the same clock and
    /// the same random numbers to come.
    Resume {
        /// What `CLOCK_REALTIME` is set to: nanoseconds since 1970. It goes on as it is where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wall_ns: Option<u64>,
        /// Mixed into the kernel's random numbers, which differ from then on for different seeds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seed: Option<u64>,
    },
    /// Put a file into the guest.
    Put {
        /// Absolute path; parents are made.
        path: String,
        /// Permission bits.
        mode: u32,
        /// Contents.
        data: Data,
    },
    /// Sync, kill everything, and switch the machine off. Not answered.
    PowerOff,
}

/// A program to start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Program and arguments; the program is looked up in `PATH`.
    pub argv: Vec<String>,
    /// Added to the agent's environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Bytes for its standard input, which is empty otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Data>,
    /// Gives it a terminal of this size for its input and all its output, which then comes as
    /// standard output; `stdin` has no meaning then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<TerminalSize>,
    /// Scheduling attributes, set before the program runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sched: Option<Sched>,
    /// Value for its `/proc/self/oom_score_adj`; the agent's own is -1000 and is not inherited.
    #[serde(default)]
    pub oom_score_adj: i32,
}

/// Size of a terminal: `struct winsize` of ioctl_tty(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

/// Scheduling attributes; what is absent stays as it is. See `sched_setattr(2)`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sched {
    /// Policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Static priority of `fifo` and `rr`, 1 to 98; 99 is the agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// Nice value of `other` and `batch`, -20 to 19.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nice: Option<i32>,
    /// `deadline`: runtime in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_ns: Option<u64>,
    /// `deadline`: relative deadline in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ns: Option<u64>,
    /// `deadline`: period in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_ns: Option<u64>,
    /// CPUs it may run on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Vec<u32>>,
    /// Cgroup below `/sys/fs/cgroup` to move it into; made if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
}

/// Scheduling policies of sched(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// `SCHED_OTHER`
    Other,
    /// `SCHED_BATCH`
    Batch,
    /// `SCHED_IDLE`
    Idle,
    /// `SCHED_FIFO`
    Fifo,
    /// `SCHED_RR`
    Rr,
    /// `SCHED_DEADLINE`
    Deadline,
}
