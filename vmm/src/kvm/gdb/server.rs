//! The thread that serves gdb.

use std::fs;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gdbstub::stub::{DisconnectReason, GdbStub};

use super::connection::Line;
use super::events::Events;
use super::guest::Guest;
use crate::Stop;
use crate::kvm::shared::Shared;
use crate::kvm::vcpu::Processor;

/// How often to look whether somebody connects.
const TICK: Duration = Duration::from_millis(20);

/// Serves gdb on a Unix socket, one after the other, as long as it lives.
#[derive(Debug)]
pub(crate) struct Server {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    socket: PathBuf,
}

impl Server {
    /// Starts it. The guest stays as it is until gdb connects, which stops it.
    pub(crate) fn start(
        socket: &Path,
        shared: Arc<Shared>,
        processors: Vec<Arc<Mutex<Processor>>>,
    ) -> io::Result<Self> {
        let listener = UnixListener::bind(socket)?;
        listener.set_nonblocking(true)?;
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let body = move || serve(&listener, Guest::new(shared, processors), &seen);
        let thread = thread::Builder::new().name("gdb".into()).spawn(body)?;
        Ok(Self { over, thread: Some(thread), socket: socket.to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A server that panicked serves nobody any more either.
            let _ = thread.join();
        }
        // Whoever made the directory may have removed it already.
        let _ = fs::remove_file(&self.socket);
    }
}

fn serve(listener: &UnixListener, mut guest: Guest, over: &Arc<AtomicBool>) {
    while !over.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => session(stream, &mut guest, over),
            Err(_) => thread::sleep(TICK),
        }
    }
}

fn session(stream: UnixStream, guest: &mut Guest, over: &Arc<AtomicBool>) {
    // gdb sees its connection end; there is nobody else to tell.
    let Ok(line) = Line::new(stream, Arc::clone(over)) else { return };
    if guest.halt().is_err() {
        return;
    }
    match GdbStub::new(line).run_blocking::<Events>(guest) {
        Ok(DisconnectReason::Kill) => guest.shared.stop(Stop::Asked),
        _ if over.load(Ordering::Relaxed) => {}
        _ => guest.release(),
    }
}
