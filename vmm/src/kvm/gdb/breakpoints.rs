//! Breakpoints: in the code, and in the debug registers.
//!
//! Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3, section 18.2.

use std::collections::BTreeMap;

use gdbstub::target::ext::breakpoints::WatchKind;
use kvm_bindings::{
    KVM_GUESTDBG_BLOCKIRQ, KVM_GUESTDBG_ENABLE, KVM_GUESTDBG_INJECT_BP, KVM_GUESTDBG_INJECT_DB,
    KVM_GUESTDBG_SINGLESTEP, KVM_GUESTDBG_USE_HW_BP, KVM_GUESTDBG_USE_SW_BP, kvm_guest_debug,
};

/// The instruction `int3`.
pub(super) const INT3: u8 = 0xcc;

/// Debug registers that hold addresses.
const SLOTS: usize = 4;

/// Bit 10 of DR7 reads as one.
const DR7_FIXED: u64 = 1 << 10;

/// What a debug register waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) address: u64,
    /// Execution has length 1.
    pub(super) length: u64,
    /// None for execution.
    pub(super) kind: Option<WatchKind>,
}

impl Watch {
    /// Its bits in DR7: what (execution, write, any access) and how long.
    fn bits(&self) -> Option<u64> {
        let what = match self.kind {
            None => 0b00,
            Some(WatchKind::Write) => 0b01,
            // There is no watching for reads alone.
            Some(WatchKind::Read | WatchKind::ReadWrite) => 0b11,
        };
        let length = match self.length {
            1 => 0b00,
            2 => 0b01,
            4 => 0b11,
            8 => 0b10,
            _ => return None,
        };
        let aligned = self.address.is_multiple_of(self.length);
        aligned.then_some(what | length << 2)
    }
}

/// What one processor is to do when it runs on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Going {
    /// One instruction only.
    pub(super) step: bool,
    /// It gets the exception that it came out for, because it is its own: `BP_VECTOR` or `DB_VECTOR`.
    pub(super) inject: Option<u32>,
}

/// All breakpoints of a guest.
#[derive(Debug, Default)]
pub(super) struct Breakpoints {
    /// Address to the byte that was there.
    pub(super) code: BTreeMap<u64, u8>,
    watches: [Option<Watch>; SLOTS],
}

impl Breakpoints {
    /// Takes a debug register for `watch`; tells whether there was one that can do it.
    pub(super) fn add(&mut self, watch: Watch) -> bool {
        let free = self.watches.iter_mut().find(|slot| slot.is_none());
        match (watch.bits(), free) {
            (Some(_), Some(slot)) => {
                *slot = Some(watch);
                true
            }
            _ => false,
        }
    }

    /// Gives the debug register of `watch` back; tells whether it had one.
    pub(super) fn remove(&mut self, watch: Watch) -> bool {
        let slot = self.watches.iter_mut().find(|slot| **slot == Some(watch));
        slot.map(|slot| *slot = None).is_some()
    }

    /// The watch that DR6 tells of.
    pub(super) fn hit(&self, dr6: u64) -> Option<Watch> {
        let hit = self.watches.iter().enumerate().find(|(slot, _)| dr6 & (1 << slot) != 0);
        hit.and_then(|(_, watch)| *watch)
    }

    /// All debug registers are free again.
    pub(super) fn clear_watches(&mut self) {
        self.watches = [None; SLOTS];
    }

    /// What to tell KVM for one processor.
    pub(super) fn settings(&self, going: Going) -> kvm_guest_debug {
        let mut debug = kvm_guest_debug {
            control: KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP,
            ..kvm_guest_debug::default()
        };
        if self.watches.iter().any(Option::is_some) {
            debug.control |= KVM_GUESTDBG_USE_HW_BP;
        }
        if going.step {
            // A step is one of the code at hand, not one into whatever interrupt is due.
            debug.control |= KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_BLOCKIRQ;
        }
        debug.control |= match going.inject {
            Some(BP_VECTOR) => KVM_GUESTDBG_INJECT_BP,
            Some(_) => KVM_GUESTDBG_INJECT_DB,
            None => 0,
        };
        debug.arch.debugreg[7] = DR7_FIXED;
        for (slot, watch) in self.watches.iter().enumerate() {
            if let Some(watch) = watch {
                debug.arch.debugreg[slot] = watch.address;
                // Enabled for all tasks, and its kind.
                debug.arch.debugreg[7] |= 2 << (slot * 2);
                debug.arch.debugreg[7] |= watch.bits().unwrap_or_default() << (16 + slot * 4);
            }
        }
        debug
    }
}

/// `#DB` and `#BP`.
pub(super) const DB_VECTOR: u32 = 1;
pub(super) const BP_VECTOR: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn execution(address: u64) -> Watch {
        Watch { address, length: 1, kind: None }
    }

    #[test]
    fn there_are_four_debug_registers_and_each_can_be_given_back() {
        let mut breakpoints = Breakpoints::default();
        for address in 0..4 {
            assert!(breakpoints.add(execution(address)));
        }
        assert!(!breakpoints.add(execution(4)));
        assert!(breakpoints.remove(execution(2)));
        assert!(!breakpoints.remove(execution(2)));
        assert!(breakpoints.add(execution(4)));
        assert_eq!(breakpoints.hit(1 << 2), Some(execution(4)));
    }

    #[test]
    fn dr7_says_what_each_register_waits_for() {
        let mut breakpoints = Breakpoints::default();
        assert!(breakpoints.add(execution(0x1000)));
        let watch = Watch { address: 0x2008, length: 8, kind: Some(WatchKind::Write) };
        assert!(breakpoints.add(watch));
        let settings = breakpoints.settings(Going::default());
        assert_eq!(settings.arch.debugreg[..2], [0x1000, 0x2008]);
        assert_eq!(settings.arch.debugreg[7], 0x0090_040a);
        assert_ne!(settings.control & KVM_GUESTDBG_USE_HW_BP, 0);
    }

    #[test]
    fn what_no_debug_register_can_watch_is_refused() {
        let mut breakpoints = Breakpoints::default();
        for (address, length) in [(0x1001, 2), (0x1000, 3), (0x1000, 0), (0x1004, 8)] {
            let kind = Some(WatchKind::Write);
            assert!(!breakpoints.add(Watch { address, length, kind }), "{address:#x} {length}");
        }
    }
}
