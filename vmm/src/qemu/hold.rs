//! Holds the threads in which QEMU runs vCPUs. Only ptrace(2) stops one thread of a process: signals stop
//! all of them, and priorities do nothing where a CPU of the host is free.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use libc::{c_int, pid_t};

use crate::HoldCpus;

/// The threads of the vCPUs, in their order.
pub(super) struct Threads(pub Vec<pid_t>);

impl HoldCpus for Threads {
    fn cpus(&self) -> usize {
        self.0.len()
    }

    fn hold(&mut self, cpu: usize, time: Duration) -> io::Result<()> {
        let thread = *self.0.get(cpu).ok_or(io::ErrorKind::NotFound)?;
        request(libc::PTRACE_SEIZE, thread, 0)?;
        // An attached thread that this one does not stop goes on, and is let go when this one ends.
        request(libc::PTRACE_INTERRUPT, thread, 0)?;
        let signal = stopped(thread)?;
        sleep(time);
        request(libc::PTRACE_DETACH, thread, signal)
    }
}

/// Waits until the thread has stopped. Where that was because of a signal, which it has not got then, gives it.
fn stopped(thread: pid_t) -> io::Result<c_int> {
    let mut status = 0;
    // SAFETY: `status` outlives the call, and the thread is traced by this one.
    let waited = unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL) };
    if waited < 0 {
        return Err(io::Error::last_os_error());
    }
    if !libc::WIFSTOPPED(status) {
        return Err(io::Error::other("the vCPU's thread has ended"));
    }
    // Stops that ptrace made have an event above the signal (ptrace(2), "PTRACE_EVENT stops").
    let by_signal = status >> 16 == 0;
    Ok(if by_signal { libc::WSTOPSIG(status) } else { 0 })
}

/// A request of ptrace(2) that takes no address, and whose data is a number.
fn request(request: libc::c_uint, thread: pid_t, data: c_int) -> io::Result<()> {
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: these requests read and write no memory of this process.
    match unsafe { libc::ptrace(request, thread, none, libc::c_long::from(data)) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
