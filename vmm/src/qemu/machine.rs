//! A guest in QEMU.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use serde_json::{Value, json};

use super::boards;
use super::hold::Threads;
use super::lines::Paced;
use super::process::Process;
use super::qmp::Client;
use super::streams::LastRegisters;
use super::{Accel, registers};
use crate::disk::NOT_WITH_DISKS;
use crate::{Backend, GuestRam, HoldCpus, Machine, Model, Registers, Saved};

/// A running QEMU.
pub struct Qemu {
    pub(super) accel: Accel,
    pub(super) model: Model,
    pub(super) has_disks: bool,
    pub(super) ram: Arc<GuestRam>,
    pub(super) control: Near,
    /// A QEMU that is killed leaves a log that is not whole.
    pub(super) is_recorded: bool,
    pub(super) control_is_serial: bool,
    pub(super) qmp: Client,
    pub(super) process: Process,
    pub(super) last: LastRegisters,
}

/// The harness's end of the control channel.
pub(super) enum Near {
    /// A socket.
    Socket(UnixStream),
    /// A serial line.
    Serial(Paced),
    /// What is sent is in a log.
    Recorded,
}

impl Qemu {
    /// Lets a machine that stands still run, unless it is to be `paused`.
    pub(super) fn go_on_unless(&mut self, paused: bool) -> io::Result<()> {
        if paused { Ok(()) } else { self.resume() }
    }
}

impl Machine for Qemu {
    fn backend(&self) -> Backend {
        self.accel.backend()
    }

    fn ram(&self) -> Arc<GuestRam> {
        Arc::clone(&self.ram)
    }

    fn control_is_serial(&self) -> bool {
        self.control_is_serial
    }

    fn ram_base(&self) -> u64 {
        boards::ram_base(self.model)
    }

    fn send_control(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.control {
            Near::Socket(stream) => stream.write_all(bytes),
            Near::Serial(line) => line.send(bytes),
            Near::Recorded => Err(io::Error::other("a replay takes nothing but what was recorded")),
        }
    }

    fn pause(&mut self) -> io::Result<()> {
        self.qmp.execute("stop", Value::Null).map(drop)
    }

    fn resume(&mut self) -> io::Result<()> {
        self.qmp.execute("cont", Value::Null).map(drop)
    }

    fn registers(&mut self, cpu: u32) -> io::Result<Registers> {
        let last =
            self.last.lock().unwrap_or_else(PoisonError::into_inner).get(cpu as usize).cloned();
        if let Some(last) = last {
            return Ok(last);
        }
        let arguments = json!({ "command-line": "info registers", "cpu-index": cpu });
        let text = self.qmp.execute("human-monitor-command", arguments)?;
        Ok(registers::parse(text.as_str().unwrap_or_default()))
    }

    fn save(&mut self) -> io::Result<Saved> {
        if self.has_disks {
            return Err(io::Error::new(io::ErrorKind::Unsupported, NOT_WITH_DISKS));
        }
        let memory = self.ram.try_clone_file()?;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let state = File::from(memfd_create("kharness-state", flags)?);
        self.qmp.save(&state)?;
        fcntl_add_seals(&state, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
        Ok(Saved { memory, state })
    }

    fn serve_gdb(&mut self, socket: &Path) -> io::Result<()> {
        // QEMU's own words for failures come back as the command's output.
        let line = format!("gdbserver unix:{},server=on,wait=off", socket.display());
        let said = self.qmp.execute("human-monitor-command", json!({ "command-line": line }))?;
        if socket.exists() {
            return Ok(());
        }
        let words = said.as_str().unwrap_or_default().trim();
        Err(io::Error::other(format!("QEMU's gdb server: {words}")))
    }

    fn holder(&mut self) -> io::Result<Box<dyn HoldCpus>> {
        let cpus = self.qmp.execute("query-cpus-fast", Value::Null)?;
        let thread = |cpu: &Value| i32::try_from(cpu["thread-id"].as_i64()?).ok();
        let threads: Vec<i32> = cpus.as_array().into_iter().flatten().filter_map(thread).collect();
        Ok(Box::new(Threads(threads)))
    }

    fn stop(&mut self) {
        if self.is_recorded && self.process.ask(|| self.qmp.execute("quit", Value::Null)).is_ok() {
            return;
        }
        self.process.kill();
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.process.kill();
    }
}
