//! The QEMU process: inherits chosen descriptors, and dies when the harness does.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{
    Resource, Rlimit, Signal, getpid, getppid, getrlimit, set_parent_process_death_signal,
    setrlimit,
};

/// Starts `program`. The *calling thread* must outlive the child: the kernel sends the death
/// signal when the thread that forked ends (`PR_SET_PDEATHSIG` in prctl(2)). It can make no file longer than
/// `longest_file` bytes, and leaves no core, which would hold all RAM of the guest.
pub(super) fn spawn(
    program: &Path,
    args: &[OsString],
    inherit: &[OwnedFd],
    stderr: File,
    longest_file: u64,
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
        limit(Resource::Core, 0)?;
        limit(Resource::Fsize, longest_file)?;
        // A write past the limit is then an error, as on a disk that is full, and not QEMU's end.
        ignore_file_size_signal();
        descriptors.iter().try_for_each(|&descriptor| keep_open(descriptor))
    };
    // SAFETY: `prepare` only makes system calls, which are async-signal-safe, and allocates nothing.
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    // More than the harness itself has can nobody give.
    let most = getrlimit(resource).maximum.map_or(most, |own| own.min(most));
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}

fn ignore_file_size_signal() {
    // SAFETY: ignoring a signal runs no code of ours.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

fn keep_open(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: the parent owns the descriptor over the whole of `spawn`, and the child has a copy.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Ok(fcntl_setfd(descriptor, FdFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_fills_no_disk_and_leaves_no_core() {
        let dir = tempfile::tempdir().unwrap();
        let (file, said) = (dir.path().join("file"), dir.path().join("said"));
        let script = format!("ulimit -c; dd if=/dev/zero of={} bs=1k count=99", file.display());
        let args = ["-c".into(), format!("exec >&2; {script}").into()];
        let stderr = File::create(&said).unwrap();
        let mut child = spawn(Path::new("/bin/sh"), &args, &[], stderr, 4096).unwrap();
        assert!(child.wait().unwrap().code().is_some_and(|code| code != 0));
        assert_eq!(file.metadata().unwrap().len(), 4096);
        let said = std::fs::read_to_string(&said).unwrap();
        assert!(said.starts_with("0\n") && said.contains("File too large"), "{said}");
    }
}
