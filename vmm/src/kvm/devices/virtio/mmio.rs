//! The memory-mapped transport: registers, feature negotiation, queue set-up.
//!
//! Source: virtio 1.2, section 4.2.2 (registers), 3.1 (initialisation), 2.1 (status).

use serde::{Deserialize, Serialize};
use virtio_queue::{Queue, QueueState, QueueT};

use super::queue::Misuse;
use crate::kvm::devices::state::Unfit;
use crate::kvm::interrupt::Interrupt;
use crate::kvm::memory::{GuestMemory, View};

const MAGIC: u32 = u32::from_le_bytes(*b"virt");
const VERSION: u32 = 2;
const VENDOR: u32 = u32::from_le_bytes(*b"KHRN");

/// Where the device's own configuration starts; registers are below.
const CONFIG: u64 = 0x100;

/// `VIRTIO_F_VERSION_1`: this is no legacy device.
const VERSION_1: u64 = 1 << 32;

const STATUS_FEATURES_OK: u8 = 8;
const STATUS_DRIVER_OK: u8 = 4;
const STATUS_NEEDS_RESET: u8 = 64;

const INTERRUPT_USED_BUFFER: u32 = 1;
const INTERRUPT_CONFIG_CHANGE: u32 = 2;

mod register {
    pub(super) const MAGIC: u64 = 0x000;
    pub(super) const VERSION: u64 = 0x004;
    pub(super) const DEVICE_ID: u64 = 0x008;
    pub(super) const VENDOR_ID: u64 = 0x00c;
    pub(super) const DEVICE_FEATURES: u64 = 0x010;
    pub(super) const DEVICE_FEATURES_SELECT: u64 = 0x014;
    pub(super) const DRIVER_FEATURES: u64 = 0x020;
    pub(super) const DRIVER_FEATURES_SELECT: u64 = 0x024;
    pub(super) const QUEUE_SELECT: u64 = 0x030;
    pub(super) const QUEUE_SIZE_MAX: u64 = 0x034;
    pub(super) const QUEUE_SIZE: u64 = 0x038;
    pub(super) const QUEUE_READY: u64 = 0x044;
    pub(super) const QUEUE_NOTIFY: u64 = 0x050;
    pub(super) const INTERRUPT_STATUS: u64 = 0x060;
    pub(super) const INTERRUPT_ACKNOWLEDGE: u64 = 0x064;
    pub(super) const STATUS: u64 = 0x070;
    pub(super) const QUEUE_DESCRIPTORS_LOW: u64 = 0x080;
    pub(super) const QUEUE_DESCRIPTORS_HIGH: u64 = 0x084;
    pub(super) const QUEUE_AVAILABLE_LOW: u64 = 0x090;
    pub(super) const QUEUE_AVAILABLE_HIGH: u64 = 0x094;
    pub(super) const QUEUE_USED_LOW: u64 = 0x0a0;
    pub(super) const QUEUE_USED_HIGH: u64 = 0x0a4;
}

/// What a kind of device does behind the transport.
pub(crate) trait Device: Send {
    /// Its number (virtio 1.2, section 5).
    const TYPE: u32;
    /// The most entries of each of its queues.
    const QUEUES: &'static [u16];

    /// What it holds beyond its registers and queues.
    type State;

    /// What it holds.
    fn save(&self) -> Self::State;

    /// Puts back what it held.
    fn restore(&mut self, state: &Self::State) -> Result<(), Unfit>;

    /// What it offers beyond what the transport does.
    fn features(&self) -> u64 {
        0
    }

    /// Its configuration.
    fn config(&self) -> Vec<u8>;

    /// The driver is ready, and has accepted `features`.
    fn activate(&mut self, features: u64);

    /// Back to how it was before any driver came.
    fn reset(&mut self);

    /// There is work on queue `index`, one of [`Device::QUEUES`]. Tells whether the driver is to be interrupted.
    fn notify(&mut self, index: usize, queues: &mut [Queue], memory: &View)
    -> Result<bool, Misuse>;
}

/// A device with its registers.
#[derive(Debug)]
pub(crate) struct Transport<D> {
    device: D,
    queues: Vec<Queue>,
    memory: GuestMemory,
    interrupt: Interrupt,
    interrupt_status: u32,
    status: u8,
    selected_queue: u32,
    device_features_word: u32,
    driver_features_word: u32,
    driver_features: u64,
}

/// What a device with its registers holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransportState<S> {
    device: S,
    queues: Vec<SavedQueue>,
    interrupt_status: u32,
    status: u8,
    selected_queue: u32,
    device_features_word: u32,
    driver_features_word: u32,
    driver_features: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedQueue(#[serde(with = "QueueFields")] QueueState);

/// [`QueueState`] for serde.
#[derive(Serialize, Deserialize)]
#[serde(remote = "QueueState", deny_unknown_fields)]
struct QueueFields {
    max_size: u16,
    next_avail: u16,
    next_used: u16,
    event_idx_enabled: bool,
    size: u16,
    ready: bool,
    desc_table: u64,
    avail_ring: u64,
    used_ring: u64,
}

impl<D: Device> Transport<D> {
    /// A device that no driver has touched. The sizes of its queues must be powers of two.
    pub(crate) fn new(
        device: D,
        memory: GuestMemory,
        interrupt: Interrupt,
    ) -> Result<Self, virtio_queue::Error> {
        let queues = D::QUEUES.iter().map(|size| Queue::new(*size)).collect::<Result<_, _>>()?;
        Ok(Self {
            device,
            queues,
            memory,
            interrupt,
            interrupt_status: 0,
            status: 0,
            selected_queue: 0,
            device_features_word: 0,
            driver_features_word: 0,
            driver_features: 0,
        })
    }

    /// What it holds.
    pub(crate) fn save(&self) -> TransportState<D::State> {
        TransportState {
            device: self.device.save(),
            queues: self.queues.iter().map(|queue| SavedQueue(queue.state())).collect(),
            interrupt_status: self.interrupt_status,
            status: self.status,
            selected_queue: self.selected_queue,
            device_features_word: self.device_features_word,
            driver_features_word: self.driver_features_word,
            driver_features: self.driver_features,
        }
    }

    /// Puts back what it held; RAM and interrupt controllers come first.
    pub(crate) fn restore(&mut self, state: &TransportState<D::State>) -> Result<(), Unfit> {
        let queues = self.sound_queues(state)?;
        self.device.restore(&state.device)?;
        self.queues = queues;
        self.interrupt_status = state.interrupt_status;
        self.status = state.status;
        self.selected_queue = state.selected_queue;
        self.device_features_word = state.device_features_word;
        self.driver_features_word = state.driver_features_word;
        self.driver_features = state.driver_features;
        if self.interrupt_status != 0 {
            // The last interrupt may have been on its way to the controllers when they were saved.
            // A driver that has seen it finds nothing new.
            self.interrupt.raise();
        }
        Ok(())
    }

    fn sound_queues(&self, state: &TransportState<D::State>) -> Result<Vec<Queue>, Unfit> {
        const UNSOUND: Unfit = Unfit("a virtio device: queues that it cannot have");
        let queues: Vec<Queue> = state
            .queues
            .iter()
            .map(|queue| Queue::try_from(queue.0).map_err(|_| UNSOUND))
            .collect::<Result<_, _>>()?;
        let running = state.status & STATUS_DRIVER_OK != 0;
        let valid =
            |queue: &Queue| !running || !queue.ready() || queue.is_valid(self.memory.view());
        let sizes = queues.iter().map(QueueT::max_size);
        let as_here = sizes.eq(D::QUEUES.iter().copied())
            && queues.iter().all(|queue| !queue.event_idx_enabled() && valid(queue))
            && state.driver_features & !self.offered() == 0;
        if as_here { Ok(queues) } else { Err(UNSOUND) }
    }

    /// The device behind the registers.
    pub(crate) fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }

    #[cfg(test)]
    pub(super) fn device(&self) -> &D {
        &self.device
    }

    #[cfg(test)]
    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// The guest reads `data.len()` bytes at `offset`.
    pub(crate) fn read(&self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        if offset >= CONFIG {
            let config = self.device.config();
            let rest = usize::try_from(offset - CONFIG).ok().and_then(|at| config.get(at..));
            let rest = rest.unwrap_or_default();
            let count = rest.len().min(data.len());
            data[..count].copy_from_slice(&rest[..count]);
        } else if let Ok(word) = <&mut [u8; 4]>::try_from(data) {
            *word = self.register(offset).to_le_bytes();
        }
    }

    /// The guest writes `data` at `offset`. No device here has configuration that can be written.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        if let (0..CONFIG, Ok(word)) = (offset, <[u8; 4]>::try_from(data)) {
            self.set_register(offset, u32::from_le_bytes(word));
        }
    }

    /// There is work on queue `index`, by word of the driver or of this machine.
    pub(crate) fn notify(&mut self, index: usize) {
        let running = self.status & (STATUS_DRIVER_OK | STATUS_NEEDS_RESET) == STATUS_DRIVER_OK;
        if !running || index >= self.queues.len() {
            return;
        }
        match self.device.notify(index, &mut self.queues, self.memory.view()) {
            Ok(false) => {}
            Ok(true) => self.raise(INTERRUPT_USED_BUFFER),
            Err(_) => {
                self.status |= STATUS_NEEDS_RESET;
                self.raise(INTERRUPT_CONFIG_CHANGE);
            }
        }
    }

    fn raise(&mut self, reason: u32) {
        self.interrupt_status |= reason;
        self.interrupt.raise();
    }

    fn register(&self, offset: u64) -> u32 {
        match offset {
            register::MAGIC => MAGIC,
            register::VERSION => VERSION,
            register::DEVICE_ID => D::TYPE,
            register::VENDOR_ID => VENDOR,
            register::DEVICE_FEATURES => word(self.offered(), self.device_features_word),
            register::QUEUE_SIZE_MAX => self.queue().map_or(0, |queue| queue.max_size().into()),
            register::QUEUE_READY => self.queue().map_or(0, |queue| queue.ready().into()),
            register::INTERRUPT_STATUS => self.interrupt_status,
            register::STATUS => self.status.into(),
            // ConfigGeneration too: no configuration changes here.
            _ => 0,
        }
    }

    fn set_register(&mut self, offset: u64, value: u32) {
        match offset {
            register::DEVICE_FEATURES_SELECT => self.device_features_word = value,
            register::DRIVER_FEATURES_SELECT => self.driver_features_word = value,
            register::DRIVER_FEATURES => self.accept(value),
            register::QUEUE_SELECT => self.selected_queue = value,
            register::QUEUE_NOTIFY => self.notify(value as usize),
            register::INTERRUPT_ACKNOWLEDGE => self.interrupt_status &= !value,
            register::STATUS => self.set_status(value.to_le_bytes()[0]),
            _ => self.set_up_queue(offset, value),
        }
    }

    fn offered(&self) -> u64 {
        self.device.features() | VERSION_1
    }

    fn accept(&mut self, value: u32) {
        if self.status & STATUS_FEATURES_OK == 0 {
            let shift = match self.driver_features_word {
                0 => 0,
                1 => 32,
                _ => return,
            };
            let others = self.driver_features & !(u64::from(u32::MAX) << shift);
            self.driver_features = others | u64::from(value) << shift;
        }
    }

    fn set_status(&mut self, value: u8) {
        if value == 0 {
            return self.reset();
        }
        let set = value & !self.status;
        // What the driver must not do unset is to be unset, and it sees that.
        let features_sound =
            self.driver_features & !self.offered() == 0 && self.driver_features & VERSION_1 != 0;
        let value = if features_sound { value } else { value & !STATUS_FEATURES_OK };
        self.status = value | self.status & STATUS_NEEDS_RESET;
        if set & STATUS_DRIVER_OK != 0 {
            self.activate();
        }
    }

    fn activate(&mut self) {
        let view = self.memory.view();
        let sound = self.status & STATUS_FEATURES_OK != 0
            && self.queues.iter().all(|queue| !queue.ready() || queue.is_valid(view));
        if sound {
            self.device.activate(self.driver_features);
        } else {
            self.status |= STATUS_NEEDS_RESET;
            self.raise(INTERRUPT_CONFIG_CHANGE);
        }
    }

    fn reset(&mut self) {
        self.device.reset();
        self.queues.iter_mut().for_each(QueueT::reset);
        self.interrupt_status = 0;
        self.status = 0;
        self.driver_features = 0;
    }

    fn queue(&self) -> Option<&Queue> {
        self.queues.get(self.selected_queue as usize)
    }

    fn set_up_queue(&mut self, offset: u64, value: u32) {
        // A queue in use is fixed until the device is reset.
        let fixed = self.status & STATUS_DRIVER_OK != 0;
        let Some(queue) = self.queues.get_mut(self.selected_queue as usize).filter(|_| !fixed)
        else {
            return;
        };
        let value16 = u16::try_from(value).unwrap_or(0);
        match offset {
            register::QUEUE_SIZE => queue.set_size(value16),
            register::QUEUE_READY => queue.set_ready(value == 1),
            register::QUEUE_DESCRIPTORS_LOW => queue.set_desc_table_address(Some(value), None),
            register::QUEUE_DESCRIPTORS_HIGH => queue.set_desc_table_address(None, Some(value)),
            register::QUEUE_AVAILABLE_LOW => queue.set_avail_ring_address(Some(value), None),
            register::QUEUE_AVAILABLE_HIGH => queue.set_avail_ring_address(None, Some(value)),
            register::QUEUE_USED_LOW => queue.set_used_ring_address(Some(value), None),
            register::QUEUE_USED_HIGH => queue.set_used_ring_address(None, Some(value)),
            _ => {}
        }
    }
}

/// The low (0) or high (1) half of `value`.
fn word(value: u64, select: u32) -> u32 {
    let half = match select {
        0 => value & u64::from(u32::MAX),
        1 => value >> 32,
        _ => 0,
    };
    u32::try_from(half).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::entropy::Entropy;
    use super::super::test_driver::{Buffer, Driver, QUEUE_NOTIFY, STATUS};
    use super::*;

    #[test]
    fn a_driver_finds_the_device_by_its_registers() {
        let driver = Driver::new(Entropy);
        let found = [0x0, 0x4, 0x8, 0xc].map(|register| driver.get(register));
        assert_eq!(found, [MAGIC, 2, 4, VENDOR]);
    }

    #[test]
    fn features_that_were_not_offered_are_not_accepted() {
        for (word, value) in [(0, 1), (1, 1 | 1 << 5), (1, 0)] {
            let mut driver = Driver::new(Entropy);
            driver.set(STATUS, 3);
            driver.set(0x24, 1);
            driver.set(0x20, 1);
            driver.set(0x24, word);
            driver.set(0x20, value);
            driver.set(STATUS, 11);
            assert_eq!(driver.get(STATUS), 3, "word {word}, value {value}");
        }
    }

    #[test]
    fn a_device_without_accepted_features_or_with_an_unsound_queue_needs_reset() {
        let mut hasty = Driver::new(Entropy);
        hasty.set(STATUS, 7);
        assert!(hasty.needs_reset());

        let mut lost = Driver::new(Entropy);
        lost.accept_features();
        lost.set_up_queues();
        lost.set(0x84, 1); // its descriptors lie above 4 GiB, where there is no RAM
        lost.set(STATUS, 15);
        assert!(lost.needs_reset());
        assert_eq!(lost.interrupts(), 1);
        assert_eq!(lost.get(0x60), INTERRUPT_CONFIG_CHANGE);
    }

    #[test]
    fn reset_brings_a_broken_device_back() {
        let mut driver = Driver::running(Entropy);
        driver.describe(0, 0, 0, 16, 0, 0);
        driver.set_available_index(0, 1000);
        driver.notify(0);
        assert!(driver.needs_reset());
        driver.set(STATUS, 0);
        assert_eq!(driver.get(STATUS), 0);
        driver.accept_features();
        driver.set_up_queues();
        driver.set(STATUS, 15);
        assert!(!driver.needs_reset());
    }

    #[test]
    fn a_queue_in_use_cannot_be_moved() {
        let mut driver = Driver::running(Entropy);
        driver.set(0x80, 0x20_0000);
        driver.set(0x38, 1);
        driver.offer(0, 0, &[Buffer::In(16)]);
        driver.notify(0);
        assert_eq!(driver.used(0).len(), 1);
    }

    #[test]
    fn an_interrupt_is_pending_until_it_is_acknowledged_and_none_comes_unwanted() {
        let mut driver = Driver::running(Entropy);
        driver.offer(0, 0, &[Buffer::In(16)]);
        driver.notify(0);
        assert_eq!((driver.interrupts(), driver.get(0x60)), (1, INTERRUPT_USED_BUFFER));
        driver.set(0x64, INTERRUPT_USED_BUFFER);
        assert_eq!(driver.get(0x60), 0);
        driver.forbid_interrupts(0);
        driver.offer(0, 1, &[Buffer::In(16)]);
        driver.notify(0);
        assert_eq!((driver.interrupts(), driver.used(0).len()), (0, 2));
    }

    #[test]
    fn accesses_of_other_sizes_than_a_word_are_ignored() {
        let mut driver = Driver::new(Entropy);
        for size in [0, 1, 2, 3, 5, 8] {
            let mut data = vec![0xff; size];
            driver.transport.read(0, &mut data);
            assert_eq!(data, vec![0; size]);
            driver.transport.write(STATUS, &vec![1; size]);
        }
        assert_eq!(driver.get(STATUS), 0);
    }

    proptest! {
        #[test]
        fn no_sequence_of_accesses_makes_a_device_panic(
            accesses in proptest::collection::vec((any::<bool>(), 0u64..0x200, any::<u32>()), 0..200),
        ) {
            let mut driver = Driver::new(Entropy);
            for (write, offset, value) in accesses {
                // Mostly small values, which select and start what there is.
                let value = if value & 3 == 0 { value } else { value % 16 };
                if write { driver.set(offset & !3, value) } else { driver.get(offset); }
            }
        }

        #[test]
        fn no_queue_makes_a_device_panic_or_hang(
            descriptors in proptest::collection::vec(
                (any::<u32>(), any::<u32>(), any::<u16>(), 0u16..20), 16),
            heads in proptest::collection::vec(any::<u16>(), 0..20),
        ) {
            let mut driver = Driver::running(Entropy);
            for (index, (address, length, flags, next)) in (0..).zip(descriptors) {
                let address = u64::from(address) % (5 << 20);
                driver.describe(0, index, address, length % 0x10_0000, flags % 8, next);
            }
            for head in heads {
                driver.make_available(0, head % 20);
                driver.set(QUEUE_NOTIFY, 0);
            }
        }
    }
}
