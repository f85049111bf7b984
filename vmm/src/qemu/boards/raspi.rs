//! Raspberry Pi boards (QEMU's docs/system/arm/raspi.rst): CPUs and RAM are fixed, there is neither
//! PCI nor virtio, and power-off and reboot go through the watchdog.

use super::{Board, Control};

pub(super) fn board(machine: &'static str) -> Board {
    Board {
        machine,
        cpu: None,
        // The first is the PL011, which is the console's; the second the mini-UART.
        control: Control::SecondUart,
        devices: &[],
        logs_resets: false,
    }
}
