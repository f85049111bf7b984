//! The base: what a guest needs to come up, and the programs that it runs.

use std::fs;
use std::path::Path;

use agent_protocol::layout;

use crate::agent;
use crate::image::{ImageError, ImageSpec};
use crate::initramfs::Archive;
use crate::kernel::ModuleFile;
use crate::pack;

/// Directory of kernel modules in the guest.
const MODULES: &str = "/lib/modules";

/// Where the agent is in the guest; the kernel starts `/init`.
const INIT: &str = "/init";

const DIRECTORIES: [(&str, u32); 11] = [
    ("/dev", 0o755),
    ("/etc", 0o755),
    ("/kharness", 0o755),
    ("/mnt", 0o755),
    ("/proc", 0o555),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/sys", 0o555),
    ("/tmp", 0o1777),
    ("/usr/bin", 0o755),
    ("/var", 0o755),
];

/// The base archive of `spec`.
pub fn archive(spec: &ImageSpec) -> Result<Archive, ImageError> {
    let mut archive = Archive::new();
    skeleton(&mut archive, agent_of(spec)?)?;
    let mut list = String::new();
    for module in &spec.boot_modules {
        list += &add_module(&mut archive, module)?;
        list.push('\n');
    }
    archive.file(layout::BOOT_MODULES, 0o644, list.into_bytes())?;
    let wanted = spec.programs.iter().filter(|name| !agent::WORKLOADS.contains(&name.as_str()));
    match &spec.foreign {
        Some(foreign) => pack::foreign(&mut archive, foreign, wanted)?,
        None => {
            for program in wanted {
                pack::program(&mut archive, program)?;
            }
            pack::shell(&mut archive)?;
        }
    }
    Ok(archive)
}

fn agent_of(spec: &ImageSpec) -> Result<Vec<u8>, ImageError> {
    let Some(foreign) = &spec.foreign else { return Ok(agent::BINARY.to_vec()) };
    let path = &foreign.agent;
    fs::read(path).map_err(|source| ImageError::Read { path: path.clone(), source })
}

/// Adds a kernel module of the host, decompressed; gives its path in the guest.
pub fn add_module(archive: &mut Archive, file: &Path) -> Result<String, ImageError> {
    let module = ModuleFile::at(file)?;
    let path = format!("{MODULES}/{}.ko", module.name);
    archive.file(&path, 0o644, module.read()?)?;
    Ok(path)
}

fn skeleton(archive: &mut Archive, agent: Vec<u8>) -> Result<(), ImageError> {
    for (path, permissions) in DIRECTORIES {
        archive.directory(path, permissions)?;
    }
    // init/main.c opens /dev/console for init before init could make it; numbers from
    // Documentation/admin-guide/devices.txt.
    archive.char_device("/dev/console", 0o600, (5, 1))?;
    archive.char_device("/dev/null", 0o666, (1, 3))?;
    archive.file(INIT, 0o755, agent)?;
    for name in agent::WORKLOADS {
        archive.symlink(&format!("/bin/{name}"), INIT)?;
    }
    Ok(())
}
