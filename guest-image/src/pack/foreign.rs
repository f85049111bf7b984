//! The programs of a guest of another architecture: busybox, and nothing of the host's.

use std::fs;
use std::path::Path;

use crate::foreign::{Foreign, applets};
use crate::initramfs::Archive;
use crate::kernel::Arch;
use crate::pack::{PackError, elf, shell};

/// Where busybox is in the guest.
const BUSYBOX: &str = "/bin/busybox";

/// Adds busybox with links for all of its commands, and static executables that `wanted` names by
/// their paths.
///
/// # Errors
/// When `wanted` names anything else, or busybox cannot be read.
pub fn foreign<'a>(
    archive: &mut Archive,
    foreign: &Foreign,
    wanted: impl Iterator<Item = &'a String>,
) -> Result<(), PackError> {
    let busybox = read(&foreign.busybox)?;
    let mut commands = applets(&busybox);
    commands.retain(|command| command != "busybox");
    for name in wanted {
        let command = name.rsplit('/').next().unwrap_or(name);
        let known = command == "busybox" || commands.iter().any(|known| known == command);
        if !known && !add_own(archive, foreign.arch, name)? {
            let host = scenario_name(Arch::host());
            return Err(PackError::Foreign { name: name.clone(), arch: foreign.arch, host });
        }
    }
    archive.file(BUSYBOX, 0o755, busybox)?;
    shell::link(archive, BUSYBOX, &commands)
}

/// Adds the program at the path `name` of the host when it runs in the guest.
fn add_own(archive: &mut Archive, arch: Arch, name: &str) -> Result<bool, PackError> {
    let path = Path::new(name);
    if !path.is_absolute() || !path.is_file() {
        return Ok(false);
    }
    let contents = read(path)?;
    let runs = elf::parse(path, &contents).is_ok_and(|elf| {
        elf.interpreter.is_none()
            && Arch::from_elf_machine(object::elf::Machine(elf.machine.0)) == Some(arch)
    });
    if runs {
        archive.file(name, 0o755, contents)?;
    }
    Ok(runs)
}

fn read(path: &Path) -> Result<Vec<u8>, PackError> {
    fs::read(path).map_err(|source| PackError::Read { path: path.into(), source })
}

fn scenario_name(arch: Option<Arch>) -> &'static str {
    match arch {
        Some(Arch::Aarch64) => "aarch64",
        _ => "x86-64",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_host_is_refused_with_a_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let busybox = dir.path().join("busybox");
        fs::write(&busybox, b"\0[\0[[\0cat\0sh\0\0").unwrap();
        let programs = Foreign { arch: Arch::Aarch64, agent: busybox.clone(), busybox };
        let pack = |name: &str| {
            let mut archive = Archive::new();
            let wanted = [name.to_owned()];
            foreign(&mut archive, &programs, wanted.iter()).map(|()| archive)
        };
        let archive = pack("cat").unwrap();
        assert!(archive.contains("/bin/cat") && archive.contains("/bin/sh"));
        for name in ["perl", "/proc/self/exe"] {
            let error = pack(name).unwrap_err().to_string();
            assert!(error.contains("do not run on aarch64"), "{error}");
        }
    }
}
