//! QEMU's command line.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use super::Accel;
use crate::{CONTROL_PORT, Config};

/// Descriptors that QEMU inherits.
pub(super) struct Inherited<'a> {
    pub qmp: BorrowedFd<'a>,
    pub console: BorrowedFd<'a>,
    pub control: BorrowedFd<'a>,
    pub ram: BorrowedFd<'a>,
}

/// Arguments for a stopped q35 machine that boots `config`.
pub(super) fn arguments(
    config: &Config,
    initramfs: Option<&Path>,
    accel: Accel,
    fds: &Inherited<'_>,
    reset_log: &Path,
) -> Vec<OsString> {
    let mut line = Line::default();
    line.words("-nodefaults -no-user-config -display none -no-reboot -S")
        .option("-machine", "q35,memory-backend=ram,usb=off,smbus=off,vmport=off")
        .option("-accel", accel.argument())
        .option("-cpu", accel.cpu())
        .option("-smp", config.cpus.to_string())
        .option("-m", format!("{}B", config.memory))
        .option("-object", ram(config.memory, fds.ram))
        .option("-chardev", socket("qmp", fds.qmp))
        .option("-mon", "chardev=qmp,mode=control")
        .option("-chardev", socket("console", fds.console))
        .option("-serial", "chardev:console")
        .option("-chardev", socket("control", fds.control))
        .option("-device", "virtio-serial-pci,max_ports=2")
        .option("-device", format!("virtserialport,chardev=control,name={CONTROL_PORT}"))
        // The one place where QEMU tells a triple fault from a reset that the guest asked for.
        .option("-d", "cpu_reset")
        .option("-D", reset_log)
        .option("-kernel", &config.kernel)
        .option("-append", &config.cmdline);
    if let Some(path) = initramfs {
        line.option("-initrd", path);
    }
    line.0
}

fn ram(size: u64, fd: BorrowedFd<'_>) -> String {
    let fd = fd.as_raw_fd();
    format!("memory-backend-file,id=ram,size={size}B,mem-path=/proc/self/fd/{fd},share=on")
}

fn socket(id: &str, fd: BorrowedFd<'_>) -> String {
    format!("socket,id={id},fd={}", fd.as_raw_fd())
}

#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn words(&mut self, words: &str) -> &mut Self {
        self.0.extend(words.split(' ').map(OsString::from));
        self
    }

    fn option(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.0.push(name.into());
        self.0.push(value.into());
        self
    }
}
