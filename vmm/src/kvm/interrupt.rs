//! Interrupt lines of devices into the guest's IO-APIC.

use std::io;
use std::sync::Arc;

use kvm_ioctls::VmFd;
use vmm_sys_util::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EventFd};

/// An edge-triggered interrupt line; clones are the same line.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    event: Arc<EventFd>,
}

impl Interrupt {
    /// Line `line` of the IO-APIC of `vm`.
    pub(crate) fn connect(vm: &VmFd, line: u32) -> io::Result<Self> {
        let event = EventFd::new(EFD_NONBLOCK | EFD_CLOEXEC)?;
        vm.register_irqfd(&event, line).map_err(io::Error::from)?;
        Ok(Self { event: Arc::new(event) })
    }

    /// A line that leads nowhere.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn unconnected() -> io::Result<Self> {
        Ok(Self { event: Arc::new(EventFd::new(EFD_NONBLOCK | EFD_CLOEXEC)?) })
    }

    /// How often the line was raised since the last time it was asked; only for a line that leads nowhere.
    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.event.read().unwrap_or(0)
    }

    /// Raises the interrupt.
    pub(crate) fn raise(&self) {
        // It fails only when KVM has let 2^64 - 2 of them pass by, and then one is pending anyway.
        let _ = self.event.write(1);
    }
}

impl vm_superio::Trigger for Interrupt {
    type E = io::Error;

    fn trigger(&self) -> Result<(), io::Error> {
        self.raise();
        Ok(())
    }
}
