//! The system calls that have no safe wrapper elsewhere, and all `unsafe` code of the agent.

use std::fs::File;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use agent_protocol::{Ended, Usage};
use libc::c_int;

/// `struct sched_attr` (include/uapi/linux/sched/types.h), its first version: 48 bytes, which
/// every kernel with the call takes.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct SchedAttr {
    /// Size of this structure.
    pub size: u32,
    /// `SCHED_OTHER` and so on.
    pub policy: u32,
    /// `SCHED_FLAG_*`.
    pub flags: u64,
    /// Nice value of `SCHED_OTHER` and `SCHED_BATCH`.
    pub nice: i32,
    /// Static priority of `SCHED_FIFO` and `SCHED_RR`.
    pub priority: u32,
    /// `SCHED_DEADLINE`: nanoseconds.
    pub runtime: u64,
    /// `SCHED_DEADLINE`: nanoseconds.
    pub deadline: u64,
    /// `SCHED_DEADLINE`: nanoseconds.
    pub period: u64,
}

const SCHED_ATTR_SIZE: u32 = 48;
const _: () = assert!(size_of::<SchedAttr>() == SCHED_ATTR_SIZE as usize);

/// `sched_getattr(2)` of thread `tid`; 0 is the caller.
pub fn sched_getattr(tid: i32) -> io::Result<SchedAttr> {
    let mut attr = SchedAttr::default();
    // SAFETY: `attr` is writable for the size given.
    check(unsafe {
        libc::syscall(libc::SYS_sched_getattr, tid, &raw mut attr, SCHED_ATTR_SIZE, 0)
    })?;
    Ok(attr)
}

/// `sched_setattr(2)` of thread `tid`; 0 is the caller.
pub fn sched_setattr(tid: i32, attr: &SchedAttr) -> io::Result<()> {
    let attr = SchedAttr { size: SCHED_ATTR_SIZE, ..*attr };
    // SAFETY: `attr` is readable for the size that it states.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, tid, &raw const attr, 0) })
}

/// `kill(2)` of the process group `group`.
pub fn kill_group(group: i32, signal: i32) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::kill(-group, signal) }.into())
}

/// Kills every process but the caller.
pub fn kill_all() {
    // SAFETY: takes no pointers. With nothing left to kill it fails, which is as good.
    unsafe { libc::kill(-1, libc::SIGKILL) };
}

/// Waits until a child has ended and gives its pid; the child stays a zombie.
pub fn next_zombie() -> io::Result<i32> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOWAIT;
    // SAFETY: `info` is writable, and all-zero is a valid value of it.
    unsafe {
        check(libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), options).into())?;
        Ok(info.assume_init().si_pid())
    }
}

/// Reaps the zombie `pid`: how it ended, without its wall time. `None` if it is not there.
pub fn reap(pid: i32) -> Option<Ended> {
    let mut status: c_int = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both out pointers are writable, and all-zero is a valid `rusage`.
    let (reaped, usage) = unsafe {
        let reaped = libc::wait4(pid, &raw mut status, libc::WNOHANG, usage.as_mut_ptr());
        (reaped, usage.assume_init())
    };
    if reaped != pid {
        return None;
    }
    let status = ExitStatus::from_raw(status);
    Some(Ended {
        pid: pid.unsigned_abs(),
        code: status.code(),
        signal: status.signal(),
        wall_ms: 0,
        usage: usage_of(&usage),
    })
}

fn usage_of(usage: &libc::rusage) -> Usage {
    let micros = |time: libc::timeval| {
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        seconds.saturating_mul(1_000_000) + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    let count = |value: libc::c_long| u64::try_from(value).unwrap_or(0);
    Usage {
        user_us: micros(usage.ru_utime),
        system_us: micros(usage.ru_stime),
        max_rss_kib: count(usage.ru_maxrss),
        minor_faults: count(usage.ru_minflt),
        major_faults: count(usage.ru_majflt),
        voluntary_switches: count(usage.ru_nvcsw),
        involuntary_switches: count(usage.ru_nivcsw),
    }
}

/// Has `command` call `work` in its process before the program runs. `work` runs between `fork`
/// and `exec` of a process with threads: it must only make system calls.
pub fn before_exec(
    command: &mut Command,
    work: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: every caller passes a closure that makes system calls and nothing else.
    unsafe { command.pre_exec(work) };
}

/// CPU time that thread `tid` of this process has used: the clock id is made as
/// `MAKE_THREAD_CPUCLOCK` does (include/linux/posix-timers.h), for `CPUCLOCK_SCHED`.
pub fn thread_cpu_time(tid: i32) -> io::Result<Duration> {
    const PER_THREAD_SCHED: libc::clockid_t = 4 | 2;
    let clock = (!tid << 3) | PER_THREAD_SCHED;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is writable.
    check(unsafe { libc::clock_gettime(clock, &raw mut time) }.into())?;
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Ok(Duration::from_secs(seconds) + Duration::from_nanos(nanos))
}

/// Forks. The caller must be the only thread of its process. The child runs `child` and exits.
pub fn fork_single(child: impl FnOnce()) -> io::Result<()> {
    // SAFETY: with a single thread no lock of the parent is left taken in the child.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            child();
            // SAFETY: ends this process at once, with nothing of the parent's run twice.
            unsafe { libc::_exit(0) }
        }
        _ => Ok(()),
    }
}

/// Has the random number generator take in what was written to `urandom` now, instead of within
/// minutes: `RNDRESEEDCRNG`, `_IO('R', 0x07)` in include/uapi/linux/random.h.
pub fn reseed(urandom: &File) -> io::Result<()> {
    const RNDRESEEDCRNG: libc::Ioctl = 0x5207;
    // SAFETY: the request has no argument.
    check(unsafe { libc::ioctl(urandom.as_raw_fd(), RNDRESEEDCRNG) }.into())
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
