//! The devices that the guest sees.

mod bus;
mod coalesced_ring;
mod early_console;
pub(crate) mod ports;
mod serial;
mod virtio;

pub(crate) use bus::{Devices, Request, VIRTIO_DEVICES};
