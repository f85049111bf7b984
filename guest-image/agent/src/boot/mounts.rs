//! The file systems of a guest.

use std::ffi::CStr;
use std::fs;

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};

/// One file system: type, where, mount data.
type Mount = (&'static str, &'static str, &'static CStr);

/// What finding the control channel needs.
const ESSENTIAL: [Mount; 3] =
    [("proc", "/proc", c""), ("sysfs", "/sys", c""), ("devtmpfs", "/dev", c"mode=0755")];

/// In this order: some lie within others.
const REST: [Mount; 8] = [
    ("tmpfs", "/run", c"mode=0755"),
    ("tmpfs", "/tmp", c"mode=1777"),
    ("devpts", "/dev/pts", c"gid=5,mode=0620,ptmxmode=0666"),
    ("tmpfs", "/dev/shm", c"mode=1777"),
    ("cgroup2", "/sys/fs/cgroup", c"memory_recursiveprot"),
    ("debugfs", "/sys/kernel/debug", c""),
    ("tracefs", "/sys/kernel/tracing", c""),
    ("securityfs", "/sys/kernel/security", c""),
];

/// File systems that a kernel may well be built without.
const OPTIONAL: [&str; 3] = ["debugfs", "tracefs", "securityfs"];

/// Controllers that tests use, passed on to all cgroups.
const CONTROLLERS: [&str; 5] = ["cpu", "cpuset", "io", "memory", "pids"];

/// Mounts procfs, sysfs and the devices; gives what failed, a line each.
pub fn essential() -> Vec<String> {
    ESSENTIAL.iter().filter_map(attach).collect()
}

/// Mounts everything else and switches the cgroup controllers on.
pub fn rest() -> Vec<String> {
    let mut warnings: Vec<String> = REST.iter().filter_map(attach).collect();
    warnings.extend(crate::serve::cgroup::enable("/sys/fs/cgroup".as_ref(), &CONTROLLERS));
    warnings
}

fn attach((kind, target, data): &Mount) -> Option<String> {
    let flags = MountFlags::NOSUID;
    let mut result = mount(*kind, *target, *kind, flags, *data);
    if result == Err(Errno::NOENT) && fs::create_dir_all(target).is_ok() {
        result = mount(*kind, *target, *kind, flags, *data);
    }
    match result {
        // The kernel has mounted /dev itself (CONFIG_DEVTMPFS_MOUNT).
        Ok(()) | Err(Errno::BUSY) => None,
        Err(Errno::NODEV | Errno::NOENT) if OPTIONAL.contains(kind) => None,
        Err(errno) => {
            Some(format!("cannot mount {kind} on {target}: {}", std::io::Error::from(errno)))
        }
    }
}
