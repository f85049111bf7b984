//! The x86-64 side of the machine: processor state, tables and addresses.

pub(crate) mod cpuid;
pub(crate) mod entry;
pub(crate) mod layout;
pub(crate) mod local_apic;
pub(crate) mod long_mode;
pub(crate) mod msrs;
mod protected_mode;
