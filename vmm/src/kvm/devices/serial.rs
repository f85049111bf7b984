//! The 16550 serial port: for `console=ttyS0`, and for whoever cannot do better.

use std::io::{self, Write};
use std::sync::Arc;

use vm_superio::Serial as Uart;
use vm_superio::serial::NoEvents;

use crate::kvm::interrupt::Interrupt;
use crate::kvm::outbox::Outbox;

/// The serial port.
#[derive(Debug)]
pub(crate) struct Serial {
    uart: Uart<Interrupt, NoEvents, Console>,
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
        Self { uart: Uart::new(interrupt, Console(outbox)) }
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
