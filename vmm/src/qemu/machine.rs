//! A guest in QEMU.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::{Value, json};

use super::command::{Inherited, arguments};
use super::qmp::{self, Client, Listener};
use super::{Accel, QemuError, child, registers};
use crate::{Backend, Config, Event, GuestRam, Machine, Registers, Stop};

/// Events that may wait for the harness; past that the guest's output waits too.
const BACKLOG: usize = 1024;

/// A running QEMU.
pub struct Qemu {
    accel: Accel,
    ram: Arc<GuestRam>,
    control: UnixStream,
    qmp: Client,
    process: Process,
}

/// The child, by a handle that can never name another process.
struct Process {
    pidfd: OwnedFd,
    asked: Arc<AtomicBool>,
}

impl Process {
    fn kill(&self) {
        self.asked.store(true, Ordering::SeqCst);
        // Already gone is as good.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }
}

/// Boots `config` in the QEMU program `program`.
///
/// # Errors
/// Any [`QemuError`]; nothing of a failed start is left running.
pub fn boot(
    program: &Path,
    accel: Accel,
    config: &Config,
) -> Result<(Qemu, Receiver<Event>), QemuError> {
    let ram = Arc::new(GuestRam::new(config.memory)?);
    let (console, console_far) = pair("console")?;
    let (control, control_far) = pair("control channel")?;
    let (monitor, monitor_far) = pair("monitor")?;
    let files = Files::in_dir(&config.dir);
    let initramfs = files.join_initramfs(&config.initramfs)?;
    let ram_fd = set_up("guest RAM", ram.try_clone_file().map(OwnedFd::from))?;
    let fds = Inherited {
        qmp: monitor_far.as_fd(),
        console: console_far.as_fd(),
        control: control_far.as_fd(),
        ram: ram_fd.as_fd(),
    };
    let args = arguments(config, initramfs.as_deref(), accel, &fds, &files.reset_log);
    let stderr = set_up("log", File::create(&files.stderr))?;

    let (events, receiver) = sync_channel(BACKLOG);
    let (mut client, listener) = set_up("monitor", qmp::connect(monitor))?;
    let inherit = vec![console_far.into(), control_far.into(), monitor_far.into(), ram_fd];
    let readers = Readers {
        console: set_up("console", read_all(console, events.clone(), Event::Console))?,
        control: set_up(
            "control channel",
            control.try_clone().and_then(|stream| read_all(stream, events.clone(), Event::Control)),
        )?,
        monitor: set_up("monitor", listen(listener, events.clone()))?,
    };
    let launch =
        Launch { program: program.to_owned(), args, inherit, stderr, files: files.clone() };
    let process = launch.start(readers, events)?;
    let machine = |qmp| Qemu { accel, ram, control, qmp, process };
    match client.negotiate().and_then(|()| client.execute("cont", Value::Null)) {
        Ok(_) => Ok((machine(client), receiver)),
        Err(error) => {
            drop(machine(client));
            Err(QemuError::Handshake {
                reason: files.complaint().unwrap_or_else(|| error.to_string()),
            })
        }
    }
}

fn pair(what: &'static str) -> Result<(UnixStream, UnixStream), QemuError> {
    set_up(what, UnixStream::pair())
}

fn set_up<T>(what: &'static str, result: io::Result<T>) -> Result<T, QemuError> {
    result.map_err(|source| QemuError::SetUp { what, source })
}

/// What QEMU writes into the machine's directory.
#[derive(Clone)]
struct Files {
    dir: PathBuf,
    stderr: PathBuf,
    reset_log: PathBuf,
}

impl Files {
    fn in_dir(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            stderr: dir.join("qemu.stderr"),
            reset_log: dir.join("qemu.reset.log"),
        }
    }

    /// QEMU takes one initramfs; the kernel takes any number, one after the other.
    fn join_initramfs(&self, parts: &[PathBuf]) -> Result<Option<PathBuf>, QemuError> {
        let [first, rest @ ..] = parts else {
            return Ok(None);
        };
        if rest.is_empty() {
            return Ok(Some(first.clone()));
        }
        let joined = self.dir.join("initramfs");
        set_up("initramfs", concatenate(parts, &joined))?;
        Ok(Some(joined))
    }

    /// QEMU's own words, if it had any.
    fn complaint(&self) -> Option<String> {
        let text = fs::read_to_string(&self.stderr).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn saw_triple_fault(&self) -> bool {
        fs::read(&self.reset_log).is_ok_and(|log| {
            log.windows(b"Triple fault".len()).any(|window| window == b"Triple fault")
        })
    }
}

fn concatenate(parts: &[PathBuf], to: &Path) -> io::Result<()> {
    let mut joined = File::create(to)?;
    for part in parts {
        io::copy(&mut File::open(part)?, &mut joined)?;
    }
    Ok(())
}

/// The threads that read what QEMU sends.
struct Readers {
    console: JoinHandle<()>,
    control: JoinHandle<()>,
    monitor: JoinHandle<Option<Stop>>,
}

impl Readers {
    /// Waits until everything that QEMU sent is in the events' channel.
    fn join(self) -> Option<Stop> {
        // A reader that panicked has nothing more to send either.
        let _ = self.console.join();
        let _ = self.control.join();
        self.monitor.join().ok().flatten()
    }
}

fn read_all(
    mut stream: UnixStream,
    events: SyncSender<Event>,
    wrap: fn(Vec<u8>) -> Event,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("qemu-stream".into()).spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            if events.send(wrap(buffer[..length].to_vec())).is_err() {
                return;
            }
        }
    })
}

fn listen(listener: Listener, events: SyncSender<Event>) -> io::Result<JoinHandle<Option<Stop>>> {
    thread::Builder::new().name("qemu-monitor".into()).spawn(move || {
        let mut stop = None;
        for (name, data) in listener {
            match name.as_str() {
                "SHUTDOWN" => stop = Some(reason(&data)),
                "GUEST_PANICKED" => drop(events.send(Event::Panicked)),
                "VSERPORT_CHANGE" if data["open"] == json!(false) => {
                    drop(events.send(Event::ControlClosed));
                }
                _ => {}
            }
        }
        stop
    })
}

/// `ShutdownCause` of QEMU's QAPI schema (qapi/run-state.json).
fn reason(shutdown: &Value) -> Stop {
    match shutdown["reason"].as_str() {
        Some("guest-shutdown") => Stop::PowerOff,
        Some("guest-reset") => Stop::Reset,
        Some("guest-panic") => Stop::Internal("the guest panicked and QEMU shut it down".into()),
        other => Stop::Internal(format!("QEMU shut down: {}", other.unwrap_or("no reason given"))),
    }
}

/// Everything needed to start the process.
struct Launch {
    program: PathBuf,
    args: Vec<std::ffi::OsString>,
    inherit: Vec<OwnedFd>,
    stderr: File,
    files: Files,
}

impl Launch {
    /// Starts QEMU on a thread that lives exactly as long as it does, as the death signal demands.
    fn start(self, readers: Readers, events: SyncSender<Event>) -> Result<Process, QemuError> {
        let program = self.program.display().to_string();
        let asked = Arc::new(AtomicBool::new(false));
        let (started, start) = channel();
        let keep = Arc::clone(&asked);
        let body = move || self.keep(readers, &events, &keep, |result| drop(started.send(result)));
        set_up("thread", thread::Builder::new().name("qemu".into()).spawn(body))?;
        let result = start.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended")));
        match result {
            Ok(pidfd) => Ok(Process { pidfd, asked }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Err(QemuError::Missing { program })
            }
            Err(source) => Err(QemuError::Start { program, source }),
        }
    }

    fn keep(
        self,
        readers: Readers,
        events: &SyncSender<Event>,
        asked: &AtomicBool,
        started: impl FnOnce(io::Result<OwnedFd>),
    ) {
        let spawned = child::spawn(&self.program, &self.args, &self.inherit, self.stderr)
            .and_then(|child| Ok((handle(&child)?, child)));
        // The far ends now belong to QEMU alone, so that its end closes the streams.
        drop(self.inherit);
        match spawned {
            Err(error) => started(Err(error)),
            Ok((pidfd, mut child)) => {
                started(Ok(pidfd));
                let status = child.wait();
                let told = readers.join();
                let stop = self.files.judge(asked.load(Ordering::SeqCst), told, status);
                // Nobody listens any more: the machine was dropped.
                let _ = events.send(Event::Stopped(stop));
            }
        }
    }
}

fn handle(child: &Child) -> io::Result<OwnedFd> {
    let pid = rustix::process::Pid::from_child(child);
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

impl Files {
    fn judge(&self, asked: bool, told: Option<Stop>, status: io::Result<ExitStatus>) -> Stop {
        match told {
            Some(Stop::Reset) if self.saw_triple_fault() => Stop::TripleFault,
            Some(stop @ (Stop::PowerOff | Stop::Reset)) => stop,
            _ if asked => Stop::Asked,
            Some(stop) => stop,
            None => Stop::Internal(self.crash(status)),
        }
    }

    fn crash(&self, status: io::Result<ExitStatus>) -> String {
        let how = match status {
            Ok(status) => format!("QEMU ended by itself ({status})"),
            Err(error) => format!("QEMU cannot be waited for: {error}"),
        };
        match self.complaint() {
            Some(words) => format!("{how}: {words}"),
            None => how,
        }
    }
}

impl Machine for Qemu {
    fn backend(&self) -> Backend {
        self.accel.backend()
    }

    fn ram(&self) -> Arc<GuestRam> {
        Arc::clone(&self.ram)
    }

    fn send_control(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.control.write_all(bytes)
    }

    fn pause(&mut self) -> io::Result<()> {
        self.qmp.execute("stop", Value::Null).map(drop)
    }

    fn resume(&mut self) -> io::Result<()> {
        self.qmp.execute("cont", Value::Null).map(drop)
    }

    fn registers(&mut self, cpu: u32) -> io::Result<Registers> {
        let arguments = json!({ "command-line": "info registers", "cpu-index": cpu });
        let text = self.qmp.execute("human-monitor-command", arguments)?;
        Ok(registers::parse(text.as_str().unwrap_or_default()))
    }

    fn stop(&mut self) {
        self.process.kill();
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.process.kill();
    }
}
