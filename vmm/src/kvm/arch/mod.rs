//! The x86-64 side of the machine: processor state and tables.

pub(crate) mod layout;
pub(crate) mod long_mode;
