//! A driver for tests: talks to a device through its registers and queues, as a guest would.

use vm_memory::{Bytes, GuestAddress};

use super::mmio::{Device, Transport};
use crate::kvm::interrupt::Interrupt;
use crate::kvm::memory::GuestMemory;

const RAM: u64 = 4 << 20;
/// Each queue has a page for its rings and pages for its buffers.
const QUEUES_AT: u64 = 0x1_0000;
const QUEUE_STRIDE: u64 = 0x1_0000;
const AVAILABLE: u64 = 0x800;
const USED: u64 = 0xc00;
const BUFFERS: u64 = 0x1000;
const SIZE: u16 = 16;

pub(crate) const STATUS: u64 = 0x70;
pub(crate) const QUEUE_NOTIFY: u64 = 0x50;

const NEXT: u16 = 1;
const WRITE: u16 = 2;

/// A buffer of a chain.
pub(crate) enum Buffer<'a> {
    /// For the device to read.
    Out(&'a [u8]),
    /// For the device to write, of this size.
    In(u32),
}

/// What the device gave back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) head: u32,
    pub(crate) written: u32,
}

/// A device with a driver.
pub(crate) struct Driver<D> {
    pub(crate) transport: Transport<D>,
    pub(crate) memory: GuestMemory,
    next: Vec<u16>,
}

impl<D: Device> Driver<D> {
    /// One that has not touched the device.
    pub(crate) fn new(device: D) -> Self {
        let memory = GuestMemory::new(RAM).unwrap();
        let transport =
            Transport::new(device, memory.clone(), Interrupt::unconnected().unwrap()).unwrap();
        Self { transport, memory, next: vec![0; D::QUEUES.len()] }
    }

    /// One that has brought the device into operation, and accepted all that it offers.
    pub(crate) fn running(device: D) -> Self {
        let mut driver = Self::new(device);
        driver.accept_features();
        driver.set_up_queues();
        driver.set(STATUS, 15);
        driver
    }

    pub(crate) fn accept_features(&mut self) {
        self.set(STATUS, 3);
        for word in 0..2 {
            self.set(0x14, word);
            let offered = self.get(0x10);
            self.set(0x24, word);
            self.set(0x20, offered);
        }
        self.set(STATUS, 11);
    }

    pub(crate) fn set_up_queues(&mut self) {
        for queue in 0..self.next.len() as u64 {
            let base = QUEUES_AT + queue * QUEUE_STRIDE;
            self.set(0x30, u32::try_from(queue).unwrap());
            self.set(0x38, SIZE.into());
            for (register, address) in [(0x80, base), (0x90, base + AVAILABLE), (0xa0, base + USED)]
            {
                self.set(register, u32::try_from(address).unwrap());
                self.set(register + 4, 0);
            }
            self.set(0x44, 1);
        }
    }

    pub(crate) fn get(&self, register: u64) -> u32 {
        let mut word = [0; 4];
        self.transport.read(register, &mut word);
        u32::from_le_bytes(word)
    }

    pub(crate) fn set(&mut self, register: u64, value: u32) {
        self.transport.write(register, &value.to_le_bytes());
    }

    /// Makes a chain of `buffers` available on `queue`, from descriptor `head` on. Gives the address of its first buffer.
    pub(crate) fn offer(&mut self, queue: usize, head: u16, buffers: &[Buffer]) -> u64 {
        let base = QUEUES_AT + queue as u64 * QUEUE_STRIDE;
        let first = base + BUFFERS + u64::from(head) * 0x400;
        let mut address = first;
        for (index, buffer) in (head..).zip(buffers) {
            let last = usize::from(index - head) + 1 == buffers.len();
            let flags = if last { 0 } else { NEXT };
            let (length, flags) = match buffer {
                Buffer::Out(bytes) => {
                    self.memory.write(address, bytes).unwrap();
                    (u32::try_from(bytes.len()).unwrap(), flags)
                }
                Buffer::In(length) => (*length, flags | WRITE),
            };
            self.describe(queue, index, address, length, flags, index + 1);
            address += u64::from(length);
        }
        self.make_available(queue, head);
        first
    }

    /// Writes a descriptor, sound or not.
    pub(crate) fn describe(
        &self,
        queue: usize,
        index: u16,
        address: u64,
        length: u32,
        flags: u16,
        next: u16,
    ) {
        let at = QUEUES_AT + queue as u64 * QUEUE_STRIDE + u64::from(index) * 16;
        let mut bytes = address.to_le_bytes().to_vec();
        bytes.extend(length.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(next.to_le_bytes());
        self.memory.write(at, &bytes).unwrap();
    }

    /// Makes descriptor `head` available, without a notification.
    pub(crate) fn make_available(&mut self, queue: usize, head: u16) {
        let ring = QUEUES_AT + queue as u64 * QUEUE_STRIDE + AVAILABLE;
        let index = self.next[queue];
        self.memory.write(ring + 4 + u64::from(index % SIZE) * 2, &head.to_le_bytes()).unwrap();
        self.next[queue] = index.wrapping_add(1);
        self.set_available_index(queue, self.next[queue]);
    }

    pub(crate) fn set_available_index(&self, queue: usize, index: u16) {
        let ring = QUEUES_AT + queue as u64 * QUEUE_STRIDE + AVAILABLE;
        self.memory.write(ring + 2, &index.to_le_bytes()).unwrap();
    }

    pub(crate) fn forbid_interrupts(&self, queue: usize) {
        let ring = QUEUES_AT + queue as u64 * QUEUE_STRIDE + AVAILABLE;
        self.memory.write(ring, &1u16.to_le_bytes()).unwrap();
    }

    pub(crate) fn notify(&mut self, queue: usize) {
        self.set(QUEUE_NOTIFY, u32::try_from(queue).unwrap());
    }

    /// What the device has given back on `queue` so far.
    pub(crate) fn used(&self, queue: usize) -> Vec<Used> {
        let ring = QUEUES_AT + queue as u64 * QUEUE_STRIDE + USED;
        let count = u64::from(u16::from_le_bytes(self.read(ring + 2)));
        (0..count)
            .map(|index| Used {
                head: u32::from_le_bytes(self.read(ring + 4 + index * 8)),
                written: u32::from_le_bytes(self.read(ring + 8 + index * 8)),
            })
            .collect()
    }

    pub(crate) fn read<const N: usize>(&self, address: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.memory.view().read_slice(&mut bytes, GuestAddress(address)).unwrap();
        bytes
    }

    /// How often the device raised its interrupt since the last time.
    pub(crate) fn interrupts(&self) -> u64 {
        self.transport.interrupt().count()
    }

    pub(crate) fn needs_reset(&self) -> bool {
        self.get(STATUS) & 64 != 0
    }
}
