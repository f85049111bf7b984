//! The console device: port 0 is `hvc0`, port 1 the control channel to the agent.
//!
//! Source: virtio 1.2, section 5.3.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use virtio_queue::Queue;

use super::control_message::{self, Event, Message};
use super::mmio::Device;
use super::queue::{Chain, Misuse, serve_all, wants_interrupt};
use crate::kvm::devices::state::Unfit;
use crate::kvm::memory::View;
use crate::kvm::outbox::Outbox;
use crate::{CONTROL_PORT, Event as MachineEvent};

/// `VIRTIO_CONSOLE_F_MULTIPORT`.
const MULTIPORT: u64 = 1 << 1;

const CONSOLE_PORT_ID: u32 = 0;
const CONTROL_PORT_ID: u32 = 1;
const PORTS: u32 = 2;

const QUEUE_SIZE: u16 = 128;
const CONSOLE_INPUT: usize = 0;
const CONSOLE_OUTPUT: usize = 1;
const MESSAGES_TO_DRIVER: usize = 2;
const MESSAGES_FROM_DRIVER: usize = 3;
const CONTROL_INPUT: usize = 4;
const CONTROL_OUTPUT: usize = 5;

/// Messages that may wait for the driver. It gets two for each of its own, so more than a few means
/// that it asks without reading.
const MOST_MESSAGES: usize = 64;

/// Bytes that may wait for the agent.
const MOST_INPUT: usize = 64 << 10;

/// The console device.
#[derive(Debug)]
pub(crate) struct Console {
    outbox: Arc<Outbox>,
    multiport: bool,
    messages: VecDeque<Vec<u8>>,
    agent_listens: bool,
    to_agent: VecDeque<u8>,
}

/// What the console device holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsoleState {
    multiport: bool,
    messages: Vec<Vec<u8>>,
    agent_listens: bool,
    to_agent: Vec<u8>,
}

impl Console {
    pub(crate) fn new(outbox: Arc<Outbox>) -> Self {
        Self {
            outbox,
            multiport: false,
            messages: VecDeque::new(),
            agent_listens: false,
            to_agent: VecDeque::new(),
        }
    }

    /// Leaves as many of `bytes` for the agent as there is room for; gives how many that were.
    pub(crate) fn leave_for_agent(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(MOST_INPUT - self.to_agent.len().min(MOST_INPUT));
        self.to_agent.extend(&bytes[..count]);
        count
    }

    /// The queue on which the agent gets what is left for it.
    pub(crate) const fn agent_queue() -> usize {
        CONTROL_INPUT
    }

    fn feed_agent(&mut self, queue: &mut Queue, memory: &View) -> Result<bool, Misuse> {
        // The driver throws away what comes before the agent has opened its end.
        if !self.agent_listens {
            return Ok(false);
        }
        let mut fed = false;
        while !self.to_agent.is_empty() {
            let Some(chain) = Chain::next(queue, memory)? else { break };
            let count = chain.write(self.to_agent.make_contiguous())?;
            self.to_agent.drain(..count);
            chain.give_back(queue, count)?;
            fed = true;
        }
        Ok(fed && wants_interrupt(queue, memory)?)
    }

    fn send_messages(&mut self, queue: &mut Queue, memory: &View) -> Result<bool, Misuse> {
        let mut sent = false;
        while let Some(message) = self.messages.front() {
            let Some(chain) = Chain::next(queue, memory)? else { break };
            if chain.room()? < message.len() {
                chain.leave(queue);
                return Err(Misuse::Protocol("a buffer too small for a control message"));
            }
            let count = chain.write(message)?;
            self.messages.pop_front();
            chain.give_back(queue, count)?;
            sent = true;
        }
        Ok(sent && wants_interrupt(queue, memory)?)
    }

    fn answer(&mut self, message: Message) -> Result<(), Misuse> {
        match (message.event, message.port) {
            (Event::DeviceReady, _) if message.value == 1 => {
                (0..PORTS).try_for_each(|port| self.tell(port, Event::PortAdd, ""))
            }
            (Event::PortReady, CONSOLE_PORT_ID) if message.value == 1 => {
                self.tell(CONSOLE_PORT_ID, Event::ConsolePort, "")?;
                self.tell(CONSOLE_PORT_ID, Event::PortOpen, "")
            }
            (Event::PortReady, CONTROL_PORT_ID) if message.value == 1 => {
                self.tell(CONTROL_PORT_ID, Event::PortName, CONTROL_PORT)?;
                self.tell(CONTROL_PORT_ID, Event::PortOpen, "")
            }
            (Event::PortOpen, CONTROL_PORT_ID) => {
                self.agent_opened(message.value == 1);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn tell(&mut self, port: u32, event: Event, text: &str) -> Result<(), Misuse> {
        if self.messages.len() >= MOST_MESSAGES {
            return Err(Misuse::Protocol("control messages that are never read"));
        }
        self.messages.push_back(Message { port, event, value: 1 }.encode(text));
        Ok(())
    }

    fn agent_opened(&mut self, open: bool) {
        if self.agent_listens && !open {
            self.outbox.event(MachineEvent::ControlClosed);
        }
        self.agent_listens = open;
    }

    fn receive_messages(&mut self, queue: &mut Queue, memory: &View) -> Result<bool, Misuse> {
        serve_all(queue, memory, |chain| {
            // One that is not known here is none of this device's business.
            if let Some(message) = Message::decode(&chain.read()?) {
                self.answer(message)?;
            }
            Ok(0)
        })
    }
}

impl Device for Console {
    const TYPE: u32 = 3;
    const QUEUES: &'static [u16] = &[QUEUE_SIZE; 6];

    type State = ConsoleState;

    fn save(&self) -> ConsoleState {
        ConsoleState {
            multiport: self.multiport,
            messages: self.messages.iter().cloned().collect(),
            agent_listens: self.agent_listens,
            to_agent: self.to_agent.iter().copied().collect(),
        }
    }

    fn restore(&mut self, state: &ConsoleState) -> Result<(), Unfit> {
        let longest = control_message::SIZE + CONTROL_PORT.len();
        if state.messages.len() > MOST_MESSAGES
            || state.to_agent.len() > MOST_INPUT
            || state.messages.iter().any(|message| message.len() > longest)
        {
            return Err(Unfit("the console: more waits in it than it holds"));
        }
        self.multiport = state.multiport;
        self.messages = state.messages.iter().cloned().collect();
        // Nobody closed anything, so there is no event to tell.
        self.agent_listens = state.agent_listens;
        self.to_agent = state.to_agent.iter().copied().collect();
        Ok(())
    }

    fn features(&self) -> u64 {
        MULTIPORT
    }

    /// `struct virtio_console_config`: columns, rows, number of ports, emergency write.
    fn config(&self) -> Vec<u8> {
        let mut config = vec![0; 12];
        config[4..8].copy_from_slice(&PORTS.to_le_bytes());
        config
    }

    fn activate(&mut self, features: u64) {
        self.multiport = features & MULTIPORT != 0;
    }

    fn reset(&mut self) {
        self.agent_opened(false);
        self.multiport = false;
        self.messages.clear();
        // What is left for the agent stays: every driver resets the device before it uses it.
    }

    fn notify(
        &mut self,
        index: usize,
        queues: &mut [Queue],
        memory: &View,
    ) -> Result<bool, Misuse> {
        let outbox = Arc::clone(&self.outbox);
        match index {
            CONSOLE_OUTPUT => serve_all(&mut queues[index], memory, |chain| {
                outbox.console(&chain.read()?);
                Ok(0)
            }),
            CONTROL_OUTPUT if self.multiport => serve_all(&mut queues[index], memory, |chain| {
                outbox.control(&chain.read()?);
                Ok(0)
            }),
            CONTROL_INPUT if self.multiport => self.feed_agent(&mut queues[index], memory),
            MESSAGES_TO_DRIVER if self.multiport => self.send_messages(&mut queues[index], memory),
            MESSAGES_FROM_DRIVER if self.multiport => {
                let received = self.receive_messages(&mut queues[index], memory)?;
                let sent = self.send_messages(&mut queues[MESSAGES_TO_DRIVER], memory)?;
                // Opening its end is what the agent does before it can be fed.
                let fed = self.feed_agent(&mut queues[CONTROL_INPUT], memory)?;
                Ok(received || sent || fed)
            }
            // Nothing ever comes in on the console, so its buffers just wait.
            CONSOLE_INPUT => Ok(false),
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::test_driver::{Buffer, Driver, STATUS};
    use super::*;

    fn console() -> (Driver<Console>, Arc<Outbox>) {
        let outbox = Arc::new(Outbox::default());
        (Driver::running(Console::new(Arc::clone(&outbox))), outbox)
    }

    fn tell(driver: &mut Driver<Console>, port: u32, event: Event, value: u16) {
        let message = Message { port, event, value }.encode("");
        driver.offer(MESSAGES_FROM_DRIVER, 0, &[Buffer::Out(&message)]);
        driver.notify(MESSAGES_FROM_DRIVER);
    }

    fn events(outbox: &Outbox) -> Vec<MachineEvent> {
        outbox.take(Duration::from_millis(1))
    }

    #[test]
    fn what_the_guest_prints_comes_out_whole_whatever_buffers_it_uses() {
        let (mut driver, outbox) = console();
        driver.offer(CONSOLE_OUTPUT, 0, &[Buffer::Out(b"hel"), Buffer::Out(b"lo")]);
        driver.offer(CONSOLE_OUTPUT, 2, &[Buffer::Out(b"\n")]);
        driver.notify(CONSOLE_OUTPUT);
        assert_eq!(events(&outbox), [MachineEvent::Console(b"hello\n".to_vec())]);
        assert_eq!(driver.used(CONSOLE_OUTPUT).len(), 2);
    }

    #[test]
    fn the_driver_learns_of_both_ports_and_the_name_of_the_second() {
        let (mut driver, _) = console();
        let mut replies = Vec::new();
        for head in 0..6 {
            replies.push(driver.offer(MESSAGES_TO_DRIVER, head, &[Buffer::In(64)]));
        }
        tell(&mut driver, u32::MAX, Event::DeviceReady, 1);
        tell(&mut driver, 0, Event::PortReady, 1);
        tell(&mut driver, 1, Event::PortReady, 1);
        let told: Vec<_> = replies
            .iter()
            .map(|at| Message::decode(&driver.read::<8>(*at)).unwrap())
            .map(|message| (message.port, message.event))
            .collect();
        use Event::{ConsolePort, PortAdd, PortName, PortOpen};
        let expected = [
            (0, PortAdd),
            (1, PortAdd),
            (0, ConsolePort),
            (0, PortOpen),
            (1, PortName),
            (1, PortOpen),
        ];
        assert_eq!(told, expected);
        assert_eq!(&driver.read(replies[4] + 8), b"kharness.control");
    }

    #[test]
    fn bytes_for_the_agent_wait_until_it_listens_and_has_room() {
        let (mut driver, _) = console();
        assert_eq!(driver.transport.device_mut().leave_for_agent(b"hello"), 5);
        let first = driver.offer(CONTROL_INPUT, 0, &[Buffer::In(3)]);
        driver.notify(CONTROL_INPUT);
        assert_eq!(driver.used(CONTROL_INPUT), []);
        tell(&mut driver, 1, Event::PortOpen, 1);
        assert_eq!(&driver.read(first), b"hel");
        let second = driver.offer(CONTROL_INPUT, 1, &[Buffer::In(3)]);
        driver.notify(CONTROL_INPUT);
        assert_eq!(&driver.read(second), b"lo");
    }

    #[test]
    fn bytes_left_for_the_agent_before_there_is_a_driver_reach_it() {
        let outbox = Arc::new(Outbox::default());
        let mut console = Console::new(outbox);
        console.leave_for_agent(b"early");
        console.reset();
        let mut driver = Driver::running(console);
        let buffer = driver.offer(CONTROL_INPUT, 0, &[Buffer::In(5)]);
        tell(&mut driver, 1, Event::PortOpen, 1);
        assert_eq!(&driver.read(buffer), b"early");
    }

    #[test]
    fn only_so_much_waits_for_the_agent() {
        let (mut driver, _) = console();
        let device = driver.transport.device_mut();
        assert_eq!(device.leave_for_agent(&vec![0; 2 * MOST_INPUT]), MOST_INPUT);
        assert_eq!(device.leave_for_agent(b"x"), 0);
    }

    #[test]
    fn the_agent_closing_its_end_is_an_event_and_so_is_a_reset_of_the_device() {
        let (mut driver, outbox) = console();
        tell(&mut driver, 1, Event::PortOpen, 1);
        tell(&mut driver, 1, Event::PortOpen, 0);
        tell(&mut driver, 1, Event::PortOpen, 0);
        assert_eq!(events(&outbox), [MachineEvent::ControlClosed]);
        tell(&mut driver, 1, Event::PortOpen, 1);
        driver.set(STATUS, 0);
        assert_eq!(events(&outbox), [MachineEvent::ControlClosed]);
    }

    #[test]
    fn control_bytes_come_out_on_their_own_channel() {
        let (mut driver, outbox) = console();
        driver.offer(CONTROL_OUTPUT, 0, &[Buffer::Out(b"{}")]);
        driver.notify(CONTROL_OUTPUT);
        assert_eq!(events(&outbox), [MachineEvent::Control(b"{}".to_vec())]);
    }

    #[test]
    fn a_driver_that_asks_without_reading_is_stopped() {
        let (mut driver, _) = console();
        for _ in 0..=MOST_MESSAGES / 2 {
            tell(&mut driver, 0, Event::DeviceReady, 1);
        }
        assert!(driver.needs_reset());
    }

    #[test]
    fn a_buffer_too_small_for_a_message_stops_the_device() {
        let (mut driver, _) = console();
        driver.offer(MESSAGES_TO_DRIVER, 0, &[Buffer::In(4)]);
        tell(&mut driver, 0, Event::DeviceReady, 1);
        assert!(driver.needs_reset());
    }

    #[test]
    fn a_loop_of_descriptors_and_one_outside_of_ram_do_no_harm() {
        let (mut driver, outbox) = console();
        driver.describe(CONSOLE_OUTPUT, 0, 0x1000, 1, 1, 0);
        driver.make_available(CONSOLE_OUTPUT, 0);
        driver.describe(CONSOLE_OUTPUT, 1, 1 << 40, 100, 0, 0);
        driver.make_available(CONSOLE_OUTPUT, 1);
        driver.notify(CONSOLE_OUTPUT);
        assert!(events(&outbox).len() <= 1);
    }

    #[test]
    fn a_chain_that_claims_gigabytes_stops_the_device() {
        let (mut driver, outbox) = console();
        for index in 0..8 {
            driver.describe(CONSOLE_OUTPUT, index, 0, 3 << 20, u16::from(index < 7), index + 1);
        }
        driver.make_available(CONSOLE_OUTPUT, 0);
        driver.notify(CONSOLE_OUTPUT);
        assert!(driver.needs_reset());
        assert_eq!(events(&outbox), []);
    }

    proptest! {
        #[test]
        fn no_message_makes_the_device_panic(
            messages in proptest::collection::vec(
                proptest::collection::vec(0u8..8, 0..12), 0..80),
        ) {
            let (mut driver, _) = console();
            for (index, message) in messages.iter().enumerate() {
                let head = u16::try_from(index % 8).unwrap();
                driver.offer(MESSAGES_TO_DRIVER, head, &[Buffer::In(32)]);
                driver.offer(MESSAGES_FROM_DRIVER, head, &[Buffer::Out(message)]);
                driver.notify(MESSAGES_FROM_DRIVER);
            }
        }
    }
}
