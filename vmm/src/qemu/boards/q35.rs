//! A PC.

use super::{Board, Control};
use crate::qemu::Accel;

pub(super) fn board(accel: Accel, nested: bool) -> Board {
    Board {
        machine: "q35,usb=off,smbus=off,vmport=off",
        cpu: Some(accel.cpu(nested)),
        control: Control::VirtioSerial,
        devices: &[],
        // The one place where QEMU tells a triple fault from a reset that the guest asked for.
        logs_resets: true,
    }
}
