//! The devices that the guest sees.

mod bus;
mod coalesced_ring;
mod early_console;
pub(crate) mod ports;
mod serial;
mod state;
mod virtio;

pub(crate) use bus::{Devices, Request, VIRTIO_DEVICES};
pub(crate) use early_console::StatusPage;
#[cfg(test)]
pub(crate) use state::test_state;
pub(crate) use state::{DevicesState, Unfit};
