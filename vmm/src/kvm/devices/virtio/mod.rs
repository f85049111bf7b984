//! Virtio devices on the memory-mapped transport.

mod console;
mod control_message;
mod entropy;
mod mmio;
mod queue;
#[cfg(test)]
mod test_driver;

pub(crate) use console::Console;
pub(crate) use entropy::Entropy;
pub(crate) use mmio::{Device, Transport};
