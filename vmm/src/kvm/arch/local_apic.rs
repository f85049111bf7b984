//! The interrupt inputs of the local APIC, as firmware leaves them.
//!
//! Source: Intel SDM volume 3, section 11.5.1; Linux expects it so in virtual-wire mode.

use kvm_bindings::kvm_lapic_state;

const LVT_TIMER: usize = 0x320;
const MASKED: u32 = 1 << 16;
const TIMER_MODE_MASK: u32 = 0b11 << 17;
const TIMER_MODE_DEADLINE: u32 = 0b10 << 17;
const LVT_LINT0: usize = 0x350;
const LVT_LINT1: usize = 0x360;
const DELIVERY_MODE_MASK: u32 = 0x700;
const DELIVERY_NMI: u32 = 0x400;
const DELIVERY_EXTINT: u32 = 0x700;

/// Connects input 0 to the legacy interrupt controller and input 1 to NMI.
pub(crate) fn connect(apic: &mut kvm_lapic_state) {
    set_delivery(apic, LVT_LINT0, DELIVERY_EXTINT);
    set_delivery(apic, LVT_LINT1, DELIVERY_NMI);
}

/// Whether its timer is to interrupt at a deadline.
pub(crate) fn awaits_deadline(apic: &kvm_lapic_state) -> bool {
    get(apic, LVT_TIMER) & (MASKED | TIMER_MODE_MASK) == TIMER_MODE_DEADLINE
}

fn get(apic: &kvm_lapic_state, register: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|index| apic.regs[register + index].cast_unsigned()))
}

fn set_delivery(apic: &mut kvm_lapic_state, register: usize, mode: u32) {
    let value = get(apic, register) & !DELIVERY_MODE_MASK | mode;
    for (index, byte) in value.to_le_bytes().into_iter().enumerate() {
        apic.regs[register + index] = byte.cast_signed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_delivery_mode_changes() {
        let mut apic = kvm_lapic_state::default();
        apic.regs[LVT_LINT0 + 2] = 1; // masked
        connect(&mut apic);
        assert_eq!(apic.regs[LVT_LINT0..LVT_LINT0 + 4], [0, 7, 1, 0]);
        assert_eq!(apic.regs[LVT_LINT1..LVT_LINT1 + 4], [0, 4, 0, 0]);
    }

    #[test]
    fn only_an_unmasked_timer_in_deadline_mode_awaits_one() {
        let mut apic = kvm_lapic_state::default();
        for (high, awaits) in [(0, false), (4, true), (5, false), (2, false), (6, false)] {
            apic.regs[LVT_TIMER + 2] = high;
            assert_eq!(awaits_deadline(&apic), awaits, "{high}");
        }
    }
}
