//! The QEMU process: inherits chosen descriptors, and dies when the harness does.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// Starts `program`. The *calling thread* must outlive the child: the kernel sends the death
/// signal when the thread that forked ends (`PR_SET_PDEATHSIG` in prctl(2)).
pub(super) fn spawn(
    program: &Path,
    args: &[OsString],
    inherit: &[OwnedFd],
    stderr: File,
) -> io::Result<Child> {
    let descriptors: Vec<RawFd> = inherit.iter().map(AsRawFd::as_raw_fd).collect();
    let harness = getpid();
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        // A group of its own: Ctrl-C is the harness's to answer.
        .process_group(0);
    let prepare = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        if getppid() != Some(harness) {
            // The harness died before the signal was armed.
            return Err(io::Error::from(rustix::io::Errno::SRCH));
        }
        descriptors.iter().try_for_each(|&descriptor| keep_open(descriptor))
    };
    // SAFETY: `prepare` only makes system calls, which are async-signal-safe, and allocates nothing.
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}

fn keep_open(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: the parent owns the descriptor over the whole of `spawn`, and the child has a copy.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Ok(fcntl_setfd(descriptor, FdFlags::empty())?)
}
