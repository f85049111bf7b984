//! QEMU as a machine.
