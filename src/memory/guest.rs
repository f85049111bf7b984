//! A machine as inspection sees it: memory and registers.

use std::sync::Arc;

use inspect::Address;
use inspect::dump::{Arch, Dump, Registers};
use inspect::memory::{MemoryImage, Segment, x86_segments};
use vmm::{Backend, Machine};

use super::source::RamSource;

/// Where RAM below 4 GiB ends on our own machine.
const KVM_LOW_END: u64 = 3 << 30;
/// Where it ends on QEMU's q35, for less and for more RAM than this (hw/i386/pc_q35.c).
const Q35_LOW_END: [u64; 2] = [0xb000_0000, 0x8000_0000];

/// Where a machine has its RAM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Layout {
    /// A PC, with a hole below 4 GiB.
    #[default]
    Pc,
    /// An Arm board, with all RAM in one piece from this guest-physical address on.
    Arm(u64),
}

impl Layout {
    /// QEMU's `virt` (hw/arm/virt.c, `VIRT_MEM`).
    pub const VIRT: Self = Self::Arm(1 << 30);
    /// A Raspberry Pi (hw/arm/bcm2836.c).
    pub const RASPBERRY_PI: Self = Self::Arm(0);

    /// That of the machine that a scenario asks for.
    pub fn of(machine: &crate::scenario::model::Machine) -> Self {
        let board = machine.board.as_ref().map(ToString::to_string);
        match (machine.arch, board.as_deref()) {
            (crate::scenario::model::Arch::X86_64, _) => Self::Pc,
            (_, Some(board)) if board.starts_with("raspi") => Self::RASPBERRY_PI,
            _ => Self::VIRT,
        }
    }

    /// Architecture of the machine.
    pub fn arch(self) -> Arch {
        match self {
            Self::Pc => Arch::X86_64,
            Self::Arm(_) => Arch::Aarch64,
        }
    }

    /// Its RAM of `size` bytes, in the order in which the RAM file has it.
    pub fn segments(self, backend: Backend, size: u64) -> Vec<Segment> {
        match self {
            Self::Pc => pc_segments(backend, size),
            Self::Arm(start) => {
                vec![Segment { start: Address(start), length: Address(size), offset: Address(0) }]
            }
        }
    }
}

/// Memory and registers of a machine that is paused or has ended; the memory is not copied. A vCPU whose
/// registers cannot be had is there without any.
///
/// # Errors
/// When the memory is not laid out as the backend's is.
pub fn dump(
    machine: &mut dyn Machine,
    layout: Layout,
    cpus: u32,
    reason: &str,
) -> Result<Dump, String> {
    let ram = machine.ram();
    let segments = layout.segments(machine.backend(), ram.size());
    let memory =
        MemoryImage::new(RamSource::new(ram), segments).map_err(|error| error.to_string())?;
    Ok(Dump {
        arch: layout.arch(),
        memory: Arc::new(memory),
        cpus: registers(machine, cpus),
        vmcoreinfo: None,
        reason: Some(reason.to_owned()),
    })
}

/// Registers of all vCPUs.
pub fn registers(machine: &mut dyn Machine, cpus: u32) -> Vec<Registers> {
    let of = |cpu| machine.registers(cpu).unwrap_or_default().into_iter().collect();
    (0..cpus).map(of).collect()
}

fn pc_segments(backend: Backend, size: u64) -> Vec<Segment> {
    let low_end = match backend {
        Backend::Kvm => KVM_LOW_END,
        Backend::QemuKvm | Backend::QemuTcg => Q35_LOW_END[usize::from(size >= Q35_LOW_END[0])],
    };
    x86_segments(size, low_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ram_that_does_not_fit_below_the_hole_is_where_each_machine_has_it() {
        for (backend, low) in [(Backend::Kvm, 3 << 30), (Backend::QemuTcg, 2 << 30)] {
            let segments = pc_segments(backend, 4 << 30);
            assert_eq!(segments[0].length.0, low);
            assert_eq!((segments[1].start.0, segments[1].offset.0), (4 << 30, low));
        }
        assert_eq!(pc_segments(Backend::QemuTcg, 0xa000_0000).len(), 1);
        let virt = Layout::VIRT.segments(Backend::QemuTcg, 5 << 30);
        assert_eq!((virt[0].start.0, virt[0].length.0, virt.len()), (1 << 30, 5 << 30, 1));
    }
}
