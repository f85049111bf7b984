//! Port addresses of the machine.

/// 16550 serial port, as COM1 of a PC.
pub(crate) const SERIAL: u16 = 0x3f8;
/// Ports that it takes.
pub(crate) const SERIAL_SIZE: u8 = 8;
/// Last of them.
pub(crate) const SERIAL_LAST: u16 = SERIAL + SERIAL_SIZE as u16 - 1;
/// Keyboard controller: data.
pub(crate) const I8042_DATA: u16 = 0x60;
/// Keyboard controller: status and command.
pub(crate) const I8042_COMMAND: u16 = 0x64;
/// pvpanic (QEMU `docs/specs/pvpanic.rst`): the kernel reports a panic here.
pub(crate) const PVPANIC: u16 = 0x505;

/// ACPI sleep control register (ACPI 6.5, section 4.8.3.7).
pub(crate) const SLEEP_CONTROL: u16 = 0x600;
/// ACPI sleep status register.
pub(crate) const SLEEP_STATUS: u16 = 0x601;
/// ACPI reset register.
pub(crate) const RESET: u16 = 0x602;
/// What is written to it to reset.
pub(crate) const RESET_VALUE: u8 = 1;
/// Sleep type of "soft off".
pub(crate) const SLEEP_TYPE_OFF: u8 = 5;
