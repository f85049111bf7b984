//! Finds and opens the control channel.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use agent_protocol::{Failure, PORT_NAME, layout::CONTROL_ARGUMENT};
use rustix::fs::{Mode, OFlags};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::failure::{Context, failure};

/// How long the device may take to come up, on the slowest emulation.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(2);

/// Opens the channel, waiting for its device to appear.
pub fn open() -> Result<File, Failure> {
    let cmdline = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let named = device_of(&cmdline);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let device = match named {
            Some(name) => Some(Path::new("/dev").join(name)),
            None => port(Path::new("/sys/class/virtio-ports")),
        };
        if let Some(device) = device.filter(|device| device.exists()) {
            return open_raw(&device);
        }
        if Instant::now() > deadline {
            return Err(absent(named));
        }
        sleep(POLL);
    }
}

/// The device that the kernel command line names.
fn device_of(cmdline: &str) -> Option<&str> {
    cmdline
        .split_ascii_whitespace()
        .filter_map(|word| word.strip_prefix(CONTROL_ARGUMENT))
        .next_back()
}

/// The device of the virtio-serial port called [`PORT_NAME`].
fn port(class: &Path) -> Option<PathBuf> {
    let ports = fs::read_dir(class).ok()?;
    ports.flatten().find_map(|port| {
        let name = fs::read_to_string(port.path().join("name")).ok()?;
        (name.trim_end() == PORT_NAME).then(|| Path::new("/dev").join(port.file_name()))
    })
}

fn open_raw(device: &Path) -> Result<File, Failure> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(device, flags, Mode::empty())
        .context(|| format!("cannot open the control channel {}", device.display()))?;
    // Only a serial line has settings; a virtio port is no terminal.
    if let Ok(mut settings) = tcgetattr(&fd) {
        settings.make_raw();
        tcsetattr(&fd, OptionalActions::Now, &settings)
            .context(|| format!("cannot make {} raw", device.display()))?;
    }
    Ok(File::from(fd))
}

fn absent(named: Option<&str>) -> Failure {
    failure(match named {
        Some(name) => {
            format!("there is no /dev/{name} for the control channel ({CONTROL_ARGUMENT})")
        }
        None => format!(
            "there is no virtio-serial port {PORT_NAME}: the kernel lacks CONFIG_VIRTIO_CONSOLE or \
             CONFIG_VIRTIO_PCI, its image lacks their modules, or the machine lacks the device"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_control_argument_counts() {
        let line = "console=ttyS0 kharness.control=ttyS1 quiet kharness.control=ttyS2\n";
        assert_eq!(device_of(line), Some("ttyS2"));
        assert_eq!(device_of("console=ttyS0"), None);
    }

    #[test]
    fn the_port_is_found_by_its_name() {
        let class = tempfile::tempdir().unwrap();
        for (port, name) in [("vport0p1", "other\n"), ("vport0p2", "kharness.control\n")] {
            fs::create_dir(class.path().join(port)).unwrap();
            fs::write(class.path().join(port).join("name"), name).unwrap();
        }
        assert_eq!(port(class.path()), Some(PathBuf::from("/dev/vport0p2")));
    }

    #[test]
    fn no_port_is_no_port() {
        assert_eq!(port(Path::new("/nonexistent")), None);
    }
}
