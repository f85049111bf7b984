//! The threads that read what QEMU sends.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

use super::qmp::Listener;
use super::registers;
use crate::{Event, GuestRam, Registers, Stop};

/// Registers of all vCPUs at the end of a guest that ended by itself; empty before.
pub(super) type LastRegisters = Arc<Mutex<Vec<Registers>>>;

/// The threads that read what QEMU sends.
pub(super) struct Readers {
    pub console: JoinHandle<()>,
    pub control: JoinHandle<()>,
    pub monitor: JoinHandle<Option<Stop>>,
    /// Whether QEMU has ended, for those who read files: these have no end by themselves.
    pub ended: Arc<AtomicBool>,
}

impl Readers {
    /// Waits until everything that QEMU, which has ended, sent is in the events' channel.
    pub fn finish(self) -> Option<Stop> {
        self.ended.store(true, Ordering::SeqCst);
        // A reader that panicked has nothing more to send either.
        let _ = self.console.join();
        let _ = self.control.join();
        self.monitor.join().ok().flatten()
    }
}

/// Passes on what comes on `stream`, until it closes.
pub(super) fn read_all(
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

/// What is kept of a guest that ended by itself.
pub(super) struct Remains {
    /// Number of vCPUs.
    pub cpus: u32,
    /// Where their registers go.
    pub registers: LastRegisters,
    /// RAM that may go with the process.
    pub ram: Arc<GuestRam>,
}

impl Remains {
    fn save(&self, listener: &mut Listener, stop: &Stop) {
        if *stop != Stop::PowerOff {
            // Without it the guest's end is still told, only its memory is not there.
            let _ = self.ram.keep();
        }
        let texts = listener.take_leave(self.cpus);
        let registers = texts.iter().map(|text| registers::parse(text)).collect();
        *self.registers.lock().unwrap_or_else(PoisonError::into_inner) = registers;
    }
}

/// Passes on what the monitor tells, until QEMU is gone; gives why the guest ended.
pub(super) fn listen(
    mut listener: Listener,
    events: SyncSender<Event>,
    remains: Remains,
) -> io::Result<JoinHandle<Option<Stop>>> {
    thread::Builder::new().name("qemu-monitor".into()).spawn(move || {
        let mut stop = None;
        while let Some((name, data)) = listener.next() {
            match name.as_str() {
                // A second one follows when QEMU itself goes.
                "SHUTDOWN" if stop.is_none() => {
                    remains.save(&mut listener, stop.insert(reason(&data)));
                }
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
