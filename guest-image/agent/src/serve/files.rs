//! Files of the guest: ordinary ones, and those that are the kernel's knobs.

use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use agent_protocol::{Data, Failure, MAX_READ};

use crate::failure::{Context, failure};
use crate::serve::cgroup;

/// Writes `value` to an existing file in one `write(2)`, as kernel files want it.
pub fn write(path: &str, value: &[u8]) -> Result<(), Failure> {
    cgroup::make_for(path)?;
    let mut file = File::options()
        .write(true)
        .truncate(true)
        .open(path)
        .context(|| format!("cannot open {path} for writing"))?;
    let shown = String::from_utf8_lossy(&value[..value.len().min(80)]);
    let written =
        file.write(value).context(|| format!("cannot write {:?} to {path}", shown.trim_end()))?;
    if written < value.len() {
        return Err(failure(format!("{path} took {written} of {} bytes", value.len())));
    }
    Ok(())
}

/// The file of a sysctl, by the rule of sysctl(8): if the first separator is a dot, dots separate
/// and slashes stand for dots; otherwise the name is a path.
pub fn sysctl_path(name: &str) -> String {
    let dotted = name.find(['.', '/']).is_none_or(|at| name[at..].starts_with('.'));
    let path: String = name
        .chars()
        .map(|c| match c {
            '.' if dotted => '/',
            '/' if dotted => '.',
            c => c,
        })
        .collect();
    format!("/proc/sys/{path}")
}

/// Reads a file of at most [`MAX_READ`] bytes.
pub fn read(path: &str) -> Result<Data, Failure> {
    let limit = u64::try_from(MAX_READ).unwrap_or(u64::MAX);
    let file = File::open(path).context(|| format!("cannot open {path}"))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).context(|| format!("cannot read {path}"))?;
    if bytes.len() > MAX_READ {
        return Err(failure(format!("{path} is larger than {MAX_READ} bytes")));
    }
    Ok(Data::from(bytes))
}

/// Makes a file, and the directories above it.
pub fn put(path: &str, mode: u32, data: &[u8]) -> Result<(), Failure> {
    if let Some(parent) = Path::new(path).parent() {
        fs::create_dir_all(parent).context(|| format!("cannot make {}", parent.display()))?;
    }
    fs::write(path, data).context(|| format!("cannot write {path}"))?;
    fs::set_permissions(path, Permissions::from_mode(mode & 0o7777))
        .context(|| format!("cannot set the mode of {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sysctl_names_follow_sysctl_8() {
        for (name, path) in [
            ("vm.panic_on_oom", "/proc/sys/vm/panic_on_oom"),
            ("vm/panic_on_oom", "/proc/sys/vm/panic_on_oom"),
            ("net.ipv4.conf.eth0/1.rp_filter", "/proc/sys/net/ipv4/conf/eth0.1/rp_filter"),
            ("net/ipv4/conf/eth0.1/rp_filter", "/proc/sys/net/ipv4/conf/eth0.1/rp_filter"),
        ] {
            assert_eq!(sysctl_path(name), path);
        }
    }

    #[test]
    fn write_makes_no_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("knob");
        let error = write(path.to_str().unwrap(), b"1").unwrap_err();
        assert_eq!(error.errno, Some(libc::ENOENT));
        assert!(!path.exists());
    }

    #[test]
    fn put_then_read_gives_the_same_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/file");
        let path = path.to_str().unwrap();
        put(path, 0o750, &[0, 0xff]).unwrap();
        assert_eq!(read(path).unwrap().as_bytes(), [0, 0xff]);
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o750);
    }

    #[test]
    fn a_file_that_is_too_large_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 + MAX_READ as u64).unwrap();
        let error = read(file.path().to_str().unwrap()).unwrap_err();
        assert!(error.message.contains("larger"), "{}", error.message);
    }
}
