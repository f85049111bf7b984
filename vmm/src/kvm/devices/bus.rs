//! All devices of the machine, and which address belongs to which.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kvm_ioctls::{VcpuFd, VmFd};

use super::early_console::{self, EarlyConsole, StatusPage};
use super::ports;
use super::serial::Serial;
use super::state::{DevicesState, Unfit};
use super::virtio::{Block, Console, Entropy, Transport};
use crate::Event;
use crate::disk::{MOST_DISKS, Store};
use crate::kvm::arch::layout::{EARLY_CONSOLE, SERIAL_IRQ, VIRTIO_BASE, VIRTIO_IRQ, VIRTIO_STRIDE};
use crate::kvm::interrupt::Interrupt;
use crate::kvm::memory::GuestMemory;
use crate::kvm::outbox::Outbox;

/// Virtio devices of every machine: console and entropy. Disks come after them.
pub(crate) const VIRTIO_DEVICES: u8 = 2;

const CONSOLE_BASE: u64 = VIRTIO_BASE;
const CONSOLE_END: u64 = CONSOLE_BASE + VIRTIO_STRIDE - 1;
const ENTROPY_BASE: u64 = CONSOLE_BASE + VIRTIO_STRIDE;
const ENTROPY_END: u64 = ENTROPY_BASE + VIRTIO_STRIDE - 1;
const DISKS_BASE: u64 = VIRTIO_BASE + VIRTIO_DEVICES as u64 * VIRTIO_STRIDE;
const DISKS_END: u64 = DISKS_BASE + MOST_DISKS as u64 * VIRTIO_STRIDE - 1;
const EARLY_CONSOLE_END: u64 = EARLY_CONSOLE + early_console::SIZE - 1;

/// What a read of nothing gives: the lines of the bus float high.
const NOTHING_THERE: u8 = 0xff;

const RESET_CPU: u8 = 0xfe;
const SLEEP_ENABLE: u8 = 1 << 5;
const PANICKED: u8 = 1 << 0;

/// What the guest asks of the machine as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    PowerOff,
    Reset,
}

/// The devices.
#[derive(Debug)]
pub(crate) struct Devices {
    outbox: Arc<Outbox>,
    early_console: EarlyConsole,
    serial: Mutex<Serial>,
    console: Mutex<Transport<Console>>,
    entropy: Mutex<Transport<Entropy>>,
    disks: Vec<Mutex<Transport<Block>>>,
}

impl Devices {
    /// The devices of `vm`; `vcpu` is any of its processors, `page` what its early console reads. There may
    /// be [`MOST_DISKS`] disks.
    pub(crate) fn new(
        vm: &VmFd,
        vcpu: &VcpuFd,
        page: Option<StatusPage>,
        memory: &GuestMemory,
        outbox: &Arc<Outbox>,
        disks: Vec<Store>,
    ) -> io::Result<Self> {
        let early_console = EarlyConsole::new(vm, vcpu, page, Arc::clone(outbox))?;
        Self::assemble(early_console, |line| Interrupt::connect(vm, line), memory, outbox, disks)
    }

    /// Devices without a machine around them.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn alone(
        memory: &GuestMemory,
        outbox: &Arc<Outbox>,
        disks: Vec<Store>,
    ) -> io::Result<Self> {
        let early_console = EarlyConsole::without_shortcut(Arc::clone(outbox));
        Self::assemble(early_console, |_| Interrupt::unconnected(), memory, outbox, disks)
    }

    fn assemble(
        early_console: EarlyConsole,
        interrupt: impl Fn(u32) -> io::Result<Interrupt>,
        memory: &GuestMemory,
        outbox: &Arc<Outbox>,
        disks: Vec<Store>,
    ) -> io::Result<Self> {
        let console = Console::new(Arc::clone(outbox));
        Ok(Self {
            outbox: Arc::clone(outbox),
            early_console,
            serial: Mutex::new(Serial::new(interrupt(SERIAL_IRQ)?, Arc::clone(outbox))),
            console: Mutex::new(transport(console, memory, interrupt(VIRTIO_IRQ)?)?),
            entropy: Mutex::new(transport(Entropy, memory, interrupt(VIRTIO_IRQ + 1)?)?),
            disks: disks
                .into_iter()
                .enumerate()
                .zip(VIRTIO_IRQ + u32::from(VIRTIO_DEVICES)..)
                .map(|((number, store), line)| {
                    let disk = Block::new(store, number);
                    Ok(Mutex::new(transport(disk, memory, interrupt(line)?)?))
                })
                .collect::<io::Result<_>>()?,
        })
    }

    /// Carries on what the guest wrote without an exit. Comes before every other access.
    pub(crate) fn drain(&self) {
        self.early_console.drain();
    }

    /// What the devices hold, while no processor runs.
    pub(crate) fn save(&self) -> DevicesState {
        self.drain();
        DevicesState {
            serial: lock(&self.serial).save(),
            console: lock(&self.console).save(),
            entropy: lock(&self.entropy).save(),
        }
    }

    /// Puts back what they held, while no processor runs.
    pub(crate) fn restore(&self, state: &DevicesState) -> Result<(), Unfit> {
        self.drain();
        lock(&self.serial).restore(&state.serial)?;
        lock(&self.console).restore(&state.console)?;
        lock(&self.entropy).restore(&state.entropy)
    }

    /// Whether there are disks, which hold more than is in memory and registers.
    pub(crate) fn has_disks(&self) -> bool {
        !self.disks.is_empty()
    }

    /// Leaves bytes for the agent; gives how many there was room for.
    pub(crate) fn leave_for_agent(&self, bytes: &[u8]) -> usize {
        let mut console = lock(&self.console);
        let count = console.device_mut().leave_for_agent(bytes);
        console.notify(Console::agent_queue());
        count
    }

    /// The guest reads a byte from `port`.
    pub(crate) fn read_port(&self, port: u16) -> u8 {
        match port {
            ports::SERIAL..=ports::SERIAL_LAST => lock(&self.serial).read(register_of(port)),
            // The keyboard controller is idle: ready for a command, nothing to read.
            ports::I8042_DATA | ports::I8042_COMMAND => 0,
            // What it can report.
            ports::PVPANIC => PANICKED,
            ports::SLEEP_CONTROL | ports::SLEEP_STATUS => 0,
            _ => NOTHING_THERE,
        }
    }

    /// The guest writes a byte to `port`.
    pub(crate) fn write_port(&self, port: u16, value: u8) -> Option<Request> {
        match port {
            ports::SERIAL..=ports::SERIAL_LAST => {
                lock(&self.serial).write(register_of(port), value);
                None
            }
            ports::PVPANIC if value & PANICKED != 0 => {
                self.outbox.event(Event::Panicked);
                None
            }
            ports::SLEEP_CONTROL if value == SLEEP_ENABLE | ports::SLEEP_TYPE_OFF << 2 => {
                Some(Request::PowerOff)
            }
            ports::I8042_COMMAND if value == RESET_CPU => Some(Request::Reset),
            ports::RESET if value == ports::RESET_VALUE => Some(Request::Reset),
            _ => None,
        }
    }

    /// The guest reads where there is no RAM.
    pub(crate) fn read_memory(&self, address: u64, data: &mut [u8]) {
        match address {
            CONSOLE_BASE..=CONSOLE_END => lock(&self.console).read(address - CONSOLE_BASE, data),
            ENTROPY_BASE..=ENTROPY_END => lock(&self.entropy).read(address - ENTROPY_BASE, data),
            DISKS_BASE..=DISKS_END => match self.disk(address) {
                Some((disk, offset)) => lock(disk).read(offset, data),
                None => data.fill(NOTHING_THERE),
            },
            EARLY_CONSOLE..=EARLY_CONSOLE_END => {
                self.early_console.read(address - EARLY_CONSOLE, data);
            }
            _ => data.fill(NOTHING_THERE),
        }
    }

    /// The guest writes where there is no RAM.
    pub(crate) fn write_memory(&self, address: u64, data: &[u8]) {
        match address {
            CONSOLE_BASE..=CONSOLE_END => lock(&self.console).write(address - CONSOLE_BASE, data),
            ENTROPY_BASE..=ENTROPY_END => lock(&self.entropy).write(address - ENTROPY_BASE, data),
            DISKS_BASE..=DISKS_END => {
                if let Some((disk, offset)) = self.disk(address) {
                    lock(disk).write(offset, data);
                }
            }
            EARLY_CONSOLE..=EARLY_CONSOLE_END => {
                self.early_console.write(address - EARLY_CONSOLE, data);
            }
            _ => {}
        }
    }

    /// The disk at `address`, and where in its page that is.
    fn disk(&self, address: u64) -> Option<(&Mutex<Transport<Block>>, u64)> {
        let from_first = address - DISKS_BASE;
        let number = usize::try_from(from_first / VIRTIO_STRIDE).ok()?;
        Some((self.disks.get(number)?, from_first % VIRTIO_STRIDE))
    }
}

fn transport<D: super::virtio::Device>(
    device: D,
    memory: &GuestMemory,
    interrupt: Interrupt,
) -> io::Result<Transport<D>> {
    Transport::new(device, memory.clone(), interrupt).map_err(io::Error::other)
}

fn register_of(port: u16) -> u8 {
    port.wrapping_sub(ports::SERIAL).to_le_bytes()[0]
}

fn lock<T>(device: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in one device on one thread is a bug; the others still see a device whose
    // every register holds some value, as a guest could have written.
    device.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::disk::{Content, Disk};

    fn devices() -> (Devices, Arc<Outbox>) {
        let outbox = Arc::new(Outbox::default());
        let memory = GuestMemory::new(4 << 20).unwrap();
        let disk = Disk { content: Content::Blank(1 << 20), readonly: false };
        let disks = vec![Store::open(&disk).unwrap(), Store::open(&disk).unwrap()];
        (Devices::alone(&memory, &outbox, disks).unwrap(), outbox)
    }

    fn events(outbox: &Outbox) -> Vec<Event> {
        outbox.take(Duration::from_millis(1))
    }

    #[test]
    fn only_the_right_value_on_the_right_port_ends_the_machine() {
        let (devices, _) = devices();
        let mut found = Vec::new();
        for port in 0..=u16::MAX {
            for value in [0, 1, 0x34, 0xfe, 0xff] {
                found.extend(devices.write_port(port, value).map(|request| (port, value, request)));
            }
        }
        let expected = [
            (0x64, 0xfe, Request::Reset),
            (0x600, 0x34, Request::PowerOff),
            (0x602, 1, Request::Reset),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_port_that_nobody_has_reads_all_ones() {
        let (devices, _) = devices();
        let known = |port| matches!(port, 0x3f8..=0x3ff | 0x60 | 0x64 | 0x505 | 0x600 | 0x601);
        for port in (0..=u16::MAX).filter(|port| !known(*port)) {
            assert_eq!(devices.read_port(port), NOTHING_THERE, "{port:#x}");
        }
    }

    #[test]
    fn each_disk_has_a_page_of_its_own_and_where_there_is_none_there_is_nothing() {
        let (devices, _) = devices();
        let read = |address| {
            let mut word = [0; 4];
            devices.read_memory(address, &mut word);
            word
        };
        for disk in [DISKS_BASE, DISKS_BASE + VIRTIO_STRIDE] {
            assert_eq!((read(disk), read(disk + 8)), (*b"virt", [2, 0, 0, 0]));
        }
        assert_eq!(read(DISKS_BASE + 2 * VIRTIO_STRIDE), [NOTHING_THERE; 4]);
    }

    #[test]
    fn the_early_console_works_without_the_help_of_kvm_too() {
        let (devices, outbox) = devices();
        let mut status = [0; 4];
        devices.read_memory(EARLY_CONSOLE + 0x14, &mut status);
        assert_eq!(status, [0x60, 0, 0, 0]);
        devices.write_memory(EARLY_CONSOLE, b"x\0\0\0");
        assert_eq!(events(&outbox), [Event::Console(b"x".to_vec())]);
    }

    #[test]
    fn the_serial_port_is_a_16550_with_a_fifo() {
        let (devices, outbox) = devices();
        devices.write_port(0x3fa, 1);
        assert_eq!(devices.read_port(0x3fa) & 0xc0, 0xc0);
        assert_eq!(devices.read_port(0x3fd) & 0x60, 0x60);
        devices.write_port(0x3f8, b'y');
        assert_eq!(events(&outbox), [Event::Console(b"y".to_vec())]);
    }

    #[test]
    fn bytes_for_the_agent_are_taken_before_it_is_there() {
        let (devices, _) = devices();
        assert_eq!(devices.leave_for_agent(b"hello"), 5);
    }

    proptest! {
        #[test]
        fn no_access_to_memory_makes_a_device_panic(
            page in prop_oneof![
                Just(CONSOLE_BASE),
                Just(ENTROPY_BASE),
                Just(DISKS_BASE + VIRTIO_STRIDE),
                Just(DISKS_END - VIRTIO_STRIDE + 1),
                Just(EARLY_CONSOLE),
                any::<u64>(),
            ],
            offset in 0u64..0x1100,
            size in 0usize..9,
            write: bool,
            byte: u8,
        ) {
            let (devices, _) = devices();
            let address = page.wrapping_add(offset);
            let mut data = vec![byte; size];
            if write { devices.write_memory(address, &data) } else { devices.read_memory(address, &mut data) }
        }
    }
}
