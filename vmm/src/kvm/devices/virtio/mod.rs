//! Virtio devices on the memory-mapped transport.

mod block;
mod console;
mod control_message;
mod entropy;
mod mmio;
mod queue;
#[cfg(test)]
mod test_driver;

pub(crate) use block::Block;
pub(crate) use console::{Console, ConsoleState};
pub(crate) use entropy::Entropy;
pub(crate) use mmio::{Device, Transport, TransportState};
