//! The entropy device: the guest need not wait for randomness.
//!
//! Source: virtio 1.2, section 5.4.

use rustix::rand::{GetRandomFlags, getrandom};
use virtio_queue::Queue;

use super::mmio::Device;
use super::queue::{Misuse, serve_all};
use crate::kvm::devices::state::Unfit;
use crate::kvm::memory::View;

const QUEUE_SIZE: u16 = 16;

/// Bytes given at once; the device may give fewer than there is room for.
const MOST: usize = 256;

/// The entropy device.
#[derive(Debug, Default)]
pub(crate) struct Entropy;

impl Device for Entropy {
    const TYPE: u32 = 4;
    const QUEUES: &'static [u16] = &[QUEUE_SIZE];

    type State = ();

    fn save(&self) {}

    fn restore(&mut self, (): &()) -> Result<(), Unfit> {
        Ok(())
    }

    fn config(&self) -> Vec<u8> {
        Vec::new()
    }

    fn activate(&mut self, _features: u64) {}

    fn reset(&mut self) {}

    fn notify(
        &mut self,
        index: usize,
        queues: &mut [Queue],
        memory: &View,
    ) -> Result<bool, Misuse> {
        serve_all(&mut queues[index], memory, |chain| {
            let mut bytes = [0; MOST];
            let count =
                getrandom(&mut bytes, GetRandomFlags::empty()).map_err(std::io::Error::from)?;
            chain.write(&bytes[..count])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_driver::{Buffer, Driver, Used};
    use super::*;

    #[test]
    fn every_buffer_is_filled_as_far_as_the_device_goes() {
        let mut driver = Driver::running(Entropy);
        let small = driver.offer(0, 0, &[Buffer::In(16)]);
        driver.offer(0, 1, &[Buffer::In(1000)]);
        driver.notify(0);
        assert_eq!(driver.used(0), [Used { head: 0, written: 16 }, Used { head: 1, written: 256 }]);
        assert_ne!(driver.read::<16>(small), [0; 16]);
    }

    #[test]
    fn what_the_device_may_only_read_stays_as_it_is() {
        let mut driver = Driver::running(Entropy);
        let address = driver.offer(0, 0, &[Buffer::Out(b"text")]);
        driver.notify(0);
        assert_eq!(driver.used(0), [Used { head: 0, written: 0 }]);
        assert_eq!(&driver.read(address), b"text");
    }
}
