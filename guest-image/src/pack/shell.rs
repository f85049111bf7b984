//! A shell for `shell` steps, and the usual commands where busybox has them.

use std::path::Path;
use std::process::Command;

use crate::initramfs::Archive;
use crate::pack::{PackError, host, program};

/// Directories of the guest's `PATH` in which a command may already be.
const BIN: [&str; 4] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/// Adds a shell as `/bin/sh`: the host's busybox, with links for all of its commands, or without
/// one the host's own `sh`, which brings no commands. Call it after the programs that the user
/// asked for: a command that is there already stays.
///
/// # Errors
/// When the host has neither, or it cannot be packed.
pub fn shell(archive: &mut Archive) -> Result<(), PackError> {
    match host::find("busybox") {
        Ok(_) => busybox(archive),
        Err(_) if archive.contains("/bin/sh") => Ok(()),
        Err(_) => program(archive, "/bin/sh").map(drop),
    }
}

fn busybox(archive: &mut Archive) -> Result<(), PackError> {
    let path = program(archive, "busybox")?;
    let commands = commands(&path)?;
    link(archive, &path.to_string_lossy(), &commands)
}

/// Links for the commands of the busybox that is at `target` in the guest.
pub(super) fn link(
    archive: &mut Archive,
    target: &str,
    commands: &[String],
) -> Result<(), PackError> {
    for command in commands {
        let there = |directory| archive.contains(&format!("{directory}/{command}"));
        if !BIN.into_iter().any(there) {
            archive.symlink(&format!("/bin/{command}"), target)?;
        }
    }
    // Scripts name these paths.
    for link in ["/bin/sh", "/usr/bin/env"] {
        if !archive.contains(link) {
            archive.symlink(link, target)?;
        }
    }
    Ok(())
}

/// The names that busybox answers to, `busybox --list`.
fn commands(busybox: &Path) -> Result<Vec<String>, PackError> {
    let read = |source| PackError::Read { path: busybox.into(), source };
    let output = Command::new(busybox).arg("--list").output().map_err(read)?;
    let names = String::from_utf8_lossy(&output.stdout);
    let plain = |name: &&str| !name.contains('/') && *name != "busybox";
    Ok(names.lines().filter(plain).map(str::to_owned).collect())
}
