//! Opens the KVM device, and says in words why it cannot.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use kvm_ioctls::{Cap, Kvm};
use rustix::fs::{Mode, OFlags};

/// The only version of the KVM API there ever was (`KVM_API_VERSION` in `linux/kvm.h`).
const API_VERSION: i32 = 12;

/// What our machine cannot do without.
const NEEDED: [(Cap, &str); 7] = [
    (Cap::Irqchip, "KVM_CAP_IRQCHIP"),
    (Cap::UserMemory, "KVM_CAP_USER_MEMORY"),
    (Cap::Irqfd, "KVM_CAP_IRQFD"),
    (Cap::ExtCpuid, "KVM_CAP_EXT_CPUID"),
    (Cap::SetTssAddr, "KVM_CAP_SET_TSS_ADDR"),
    (Cap::ImmediateExit, "KVM_CAP_IMMEDIATE_EXIT"),
    (Cap::TscDeadlineTimer, "KVM_CAP_TSC_DEADLINE_TIMER"),
];

/// Why the device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is no device node, and no module that would make one.
    #[error(
        "{0} is not there and no KVM module is loaded: `sudo modprobe kvm_intel` (or `kvm_amd`); \
         when that fails, switch on virtualisation in the firmware, or nested virtualisation in the \
         hypervisor that runs this machine"
    )]
    NoModule(PathBuf),
    /// There is a module, but no device node.
    #[error(
        "{0} is not there although the KVM module is loaded: in a container, pass the device in \
         (`--device /dev/kvm`)"
    )]
    NoNode(PathBuf),
    /// The device node is somebody else's.
    #[error(
        "no permission to open {0}: `sudo usermod -aG kvm $USER` and log in again, \
         or `sudo setfacl -m u:$USER:rw {0}`"
    )]
    NoPermission(PathBuf),
    /// There is a device node, but nothing answers.
    #[error("{0} is there, but no driver behind it: `sudo modprobe kvm_intel` (or `kvm_amd`)")]
    NoDriver(PathBuf),
    /// Opening it failed in another way.
    #[error("cannot open {path}: {source}")]
    Open {
        /// The device.
        path: PathBuf,
        /// The host's words.
        source: io::Error,
    },
    /// It is another device, or a file.
    #[error("{0} is not a KVM device")]
    NotKvm(PathBuf),
    /// It speaks another version of the API.
    #[error("{path} speaks version {version} of the KVM API, not {API_VERSION}")]
    Version {
        /// The device.
        path: PathBuf,
        /// Its version.
        version: i32,
    },
    /// It cannot do something that the machine needs.
    #[error("{path} lacks {capability}")]
    Capability {
        /// The device.
        path: PathBuf,
        /// What is missing.
        capability: &'static str,
    },
}

/// Opens the KVM device at `path` and checks that it is one with all that our machine needs.
pub(crate) fn open(path: &Path) -> Result<Kvm, DeviceError> {
    // Not `File::open`: a device node may block in open or answer to it, so ask for neither.
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let name = CString::new(path.as_os_str().as_bytes())
        .map_err(|error| DeviceError::Open { path: path.into(), source: error.into() })?;
    let file = rustix::fs::open(name.as_c_str(), flags, Mode::empty())
        .map_err(|errno| explain(path, errno.into(), vendor_module_loaded()))?;
    check(path, File::from(file))
}

fn check(path: &Path, file: File) -> Result<Kvm, DeviceError> {
    // SAFETY: the descriptor is open and nobody else owns it. If it is not a KVM device, then the
    // first ioctl below is refused and no other follows.
    let kvm = unsafe { Kvm::from_raw_fd(file.into_raw_fd()) };
    match kvm.get_api_version() {
        API_VERSION => {}
        version if version < 0 => return Err(DeviceError::NotKvm(path.into())),
        version => {
            return Err(DeviceError::Version { path: path.into(), version });
        }
    }
    match NEEDED.iter().find(|(capability, _)| !kvm.check_extension(*capability)) {
        Some((_, name)) => Err(DeviceError::Capability { path: path.into(), capability: name }),
        None => Ok(kvm),
    }
}

fn explain(path: &Path, source: io::Error, module_loaded: bool) -> DeviceError {
    let path = path.to_path_buf();
    match source.raw_os_error() {
        Some(libc::ENOENT) if module_loaded => DeviceError::NoNode(path),
        Some(libc::ENOENT) => DeviceError::NoModule(path),
        Some(libc::EACCES | libc::EPERM) => DeviceError::NoPermission(path),
        Some(libc::ENODEV | libc::ENXIO) => DeviceError::NoDriver(path),
        _ => DeviceError::Open { path, source },
    }
}

/// Is there a module that makes KVM work on some processor (`kvm_intel`, `kvm_amd`, ...)? The
/// common part, `kvm`, does not do so alone. Built-in ones are found as well.
fn vendor_module_loaded() -> bool {
    std::fs::read_dir("/sys/module").is_ok_and(|modules| {
        modules.flatten().any(|module| module.file_name().as_bytes().starts_with(b"kvm_"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(errno: i32, module_loaded: bool) -> String {
        explain(Path::new("/dev/kvm"), io::Error::from_raw_os_error(errno), module_loaded)
            .to_string()
    }

    #[test]
    fn each_failure_names_its_cure() {
        assert!(words(libc::ENOENT, false).contains("modprobe"));
        assert!(words(libc::ENOENT, true).contains("container"));
        assert!(words(libc::EACCES, true).contains("usermod -aG kvm"));
        assert!(words(libc::ENODEV, true).contains("no driver"));
        assert!(words(libc::EMFILE, true).contains("Too many open files"));
    }
}
