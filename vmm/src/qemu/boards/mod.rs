//! The machines that QEMU models for us, and how each is asked for.

mod device_tree;
mod q35;
mod raspi;
mod virt;

pub(super) use device_tree::prepare as prepare_device_tree;

use std::fmt;

use super::Accel;
use super::execution::Execution;
use crate::Model;

/// How QEMU is asked for a machine.
pub(super) struct Board {
    /// Argument of `-machine`, but for its RAM.
    pub machine: &'static str,
    /// Argument of `-cpu`; none where the machine has its own.
    pub cpu: Option<&'static str>,
    /// Where the control channel is plugged in.
    pub control: Control,
    /// Further devices.
    pub devices: &'static [&'static str],
    /// Whether a reset's cause is told in QEMU's log only.
    pub logs_resets: bool,
}

/// What carries the control channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// A port of a virtio-serial device on PCI.
    VirtioSerial,
    /// The machine's second UART.
    SecondUart,
}

/// The board of `model`, for a guest with a working KVM of its own or without.
pub(super) fn board(model: Model, accel: Accel, nested: bool, execution: Execution<'_>) -> Board {
    let board = match model {
        Model::Pc => q35::board(accel, nested),
        Model::Virt => virt::board(),
        Model::Raspi3b => raspi::board("raspi3b"),
        Model::Raspi4b => raspi::board("raspi4b"),
    };
    match execution {
        Execution::Free => board,
        // Of what carries bytes, QEMU's log has serial lines only.
        _ => Board { control: Control::SecondUart, ..board },
    }
}

/// Where RAM begins (QEMU's hw/arm/virt.c; PCs and Raspberry Pis have it at 0).
pub(super) fn ram_base(model: Model) -> u64 {
    match model {
        Model::Virt => 1 << 30,
        Model::Pc | Model::Raspi3b | Model::Raspi4b => 0,
    }
}

/// A version of QEMU: major and minor number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    /// The version in what `--version` prints: `QEMU emulator version 7.2.22 (Debian …)`.
    #[must_use]
    pub fn parse(banner: &str) -> Option<Self> {
        let number = banner.split("version ").nth(1)?;
        let mut parts = number.split(|c: char| !c.is_ascii_digit());
        Some(Self(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }

    /// The oldest that has `model`.
    #[must_use]
    pub fn oldest_with(model: Model) -> Self {
        match model {
            Model::Pc | Model::Virt | Model::Raspi3b => Self(7, 2),
            Model::Raspi4b => Self(9, 0),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_banner_and_compared_as_numbers() {
        let old = Version::parse("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)");
        let new = Version::parse("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright");
        assert_eq!(old, Some(Version(7, 2)));
        assert!(old < new && new >= Some(Version::oldest_with(Model::Raspi4b)));
        assert_eq!(Version::parse("bash: not found"), None);
    }
}
