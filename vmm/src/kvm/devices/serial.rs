//! The 16550 serial port: for `console=ttyS0`, and for whoever cannot do better.

use std::io::{self, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vm_superio::Serial as Uart;
use vm_superio::serial::{NoEvents, SerialState as UartState};

use super::state::Unfit;
use crate::kvm::interrupt::Interrupt;
use crate::kvm::outbox::Outbox;

/// The serial port.
#[derive(Debug)]
pub(crate) struct Serial {
    uart: Uart<Interrupt, NoEvents, Console>,
    interrupt: Interrupt,
    outbox: Arc<Outbox>,
}

/// What its registers hold.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SerialState(#[serde(with = "Registers")] UartState);

/// [`UartState`] for serde.
#[derive(Serialize, Deserialize)]
#[serde(remote = "UartState", deny_unknown_fields)]
struct Registers {
    baud_divisor_low: u8,
    baud_divisor_high: u8,
    interrupt_enable: u8,
    interrupt_identification: u8,
    line_control: u8,
    line_status: u8,
    modem_control: u8,
    modem_status: u8,
    scratch: u8,
    in_buffer: Vec<u8>,
}

/// Takes each byte as it comes; the outbox gathers them, so there is nothing to flush.
#[derive(Debug)]
struct Console(Arc<Outbox>);

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.console(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Serial {
    pub(crate) fn new(interrupt: Interrupt, outbox: Arc<Outbox>) -> Self {
        let uart = Uart::new(interrupt.clone(), Console(Arc::clone(&outbox)));
        Self { uart, interrupt, outbox }
    }

    /// What its registers hold.
    pub(crate) fn save(&self) -> SerialState {
        SerialState(self.uart.state())
    }

    /// Puts back what they held.
    pub(crate) fn restore(&mut self, state: &SerialState) -> Result<(), Unfit> {
        let console = Console(Arc::clone(&self.outbox));
        self.uart = Uart::from_state(&state.0, self.interrupt.clone(), NoEvents, console)
            .map_err(|_| Unfit("the serial port: more input than its buffer holds"))?;
        Ok(())
    }

    /// The guest reads register `register`, 0 to 7.
    pub(crate) fn read(&mut self, register: u8) -> u8 {
        self.uart.read(register)
    }

    /// The guest writes register `register`, 0 to 7.
    pub(crate) fn write(&mut self, register: u8, value: u8) {
        // Neither the outbox nor the interrupt can fail, and in loopback mode a full
        // buffer loses bytes, as on the real thing.
        let _ = self.uart.write(register, value);
    }
}
