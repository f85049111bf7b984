//! QEMU's own board for Arm guests (QEMU's docs/system/arm/virt.rst): RAM at 1 GiB, PSCI, a PL011,
//! PCI with virtio. QEMU writes its device tree.

use super::{Board, Control};

pub(super) fn board() -> Board {
    Board {
        machine: "virt",
        // Without it the guest gets a 32-bit core. Page tables of 4 levels, no pointer
        // authentication to emulate: the quickest of the 64-bit cores.
        cpu: Some("cortex-a57"),
        control: Control::VirtioSerial,
        devices: &["pvpanic-pci"],
        logs_resets: false,
    }
}
