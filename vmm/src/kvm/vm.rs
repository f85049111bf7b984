//! The virtual machine as KVM sees it: memory slots and interrupt controllers.

use std::io;

use kvm_bindings::{
    KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, KVM_MEM_LOG_DIRTY_PAGES,
    kvm_clock_data, kvm_irqchip, kvm_userspace_memory_region,
};
use kvm_ioctls::{Kvm, VmFd};
use serde::{Deserialize, Serialize};

use super::arch::layout::{IDENTITY_MAP_PAGE, TSS_ADDRESS};
use super::devices::StatusPage;
use super::error::KvmError;
use super::memory::{GuestMemory, regions};
use super::pages::PageSet;

/// The interrupt controllers.
const CHIPS: [u32; 3] = [KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, KVM_IRQCHIP_IOAPIC];

/// What all processors of a machine share in KVM.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VmState {
    chips: [kvm_irqchip; CHIPS.len()],
    /// What kvmclock shows, in nanoseconds.
    clock: u64,
}

/// What the machine's processors share; they must all be out of the guest.
pub(crate) fn save(vm: &VmFd) -> Result<VmState, KvmError> {
    let clock = vm.get_clock().map_err(failed("read the guest's clock"))?.clock;
    let mut chips = CHIPS.map(|chip_id| kvm_irqchip { chip_id, ..Default::default() });
    for chip in &mut chips {
        vm.get_irqchip(chip).map_err(failed("read an interrupt controller"))?;
    }
    Ok(VmState { chips, clock })
}

/// Puts the interrupt controllers back; processors come before.
pub(crate) fn restore_chips(vm: &VmFd, state: &VmState) -> Result<(), KvmError> {
    state
        .chips
        .iter()
        .try_for_each(|chip| vm.set_irqchip(chip).map_err(failed("set an interrupt controller")))
}

/// Sets kvmclock to what it was. Without a flag that says so, the time that has passed since is not added.
pub(crate) fn set_clock(vm: &VmFd, state: &VmState) -> Result<(), KvmError> {
    let clock = kvm_clock_data { clock: state.clock, ..Default::default() };
    vm.set_clock(&clock).map_err(failed("set the guest's clock"))
}

/// Makes a machine without processors and devices; `noted` if the pages that its guest writes are noted
/// from the start.
pub(crate) fn create(kvm: &Kvm, memory: &GuestMemory, noted: bool) -> Result<Bare, KvmError> {
    let vm = kvm.create_vm().map_err(failed("create a virtual machine"))?;
    // Memory comes first, all of it: registering it waits for a grace period once there is an interrupt
    // controller.
    note_writes(&vm, memory, noted)?;
    let page = StatusPage::map(&vm)
        .map_err(|source| KvmError::Host { what: "give the guest its early console", source })?;
    vm.set_identity_map_address(IDENTITY_MAP_PAGE)
        .map_err(failed("set KVM's identity map page"))?;
    vm.set_tss_address(TSS_ADDRESS).map_err(failed("set KVM's task state segment"))?;
    // No PIT comes with it: no kernel that finds a TSC-deadline timer needs one.
    vm.create_irq_chip().map_err(failed("create interrupt controllers"))?;
    Ok(Bare { vm, page })
}

/// A machine without processors and devices.
#[derive(Debug)]
pub(crate) struct Bare {
    pub(crate) vm: VmFd,
    /// What its early console is to read.
    pub(crate) page: Option<StatusPage>,
}

/// Has KVM note which pages of RAM the guest writes, or stop noting it.
pub(crate) fn note_writes(vm: &VmFd, memory: &GuestMemory, on: bool) -> Result<(), KvmError> {
    set_memory(vm, memory, if on { KVM_MEM_LOG_DIRTY_PAGES } else { 0 })
}

/// The pages of the RAM file that the guest wrote since this was asked last, a bit for each. What devices
/// wrote for it is not among them.
pub(crate) fn written_pages(vm: &VmFd, memory: &GuestMemory) -> Result<PageSet, KvmError> {
    let mut pages = PageSet::default();
    for (slot, region) in (0..).zip(regions(memory.ram().size())) {
        let size = usize::try_from(region.size).unwrap_or(usize::MAX);
        let log = vm.get_dirty_log(slot, size).map_err(failed("ask KVM for the pages written"))?;
        pages.add(region.offset, &log);
    }
    Ok(pages)
}

fn set_memory(vm: &VmFd, memory: &GuestMemory, flags: u32) -> Result<(), KvmError> {
    let base = memory.ram().host_address().addr() as u64;
    (0..).zip(regions(memory.ram().size())).try_for_each(|(slot, region)| {
        let region = kvm_userspace_memory_region {
            slot,
            guest_phys_addr: region.address,
            memory_size: region.size,
            userspace_addr: base + region.offset,
            flags,
        };
        // SAFETY: the regions lie within the mapping, and whoever runs the machine holds the memory.
        unsafe { vm.set_user_memory_region(region) }.map_err(failed("give the guest its RAM"))
    })
}

/// Makes a [`KvmError`] of what KVM says.
pub(crate) fn failed(what: &'static str) -> impl Fn(kvm_ioctls::Error) -> KvmError {
    move |error| KvmError::Host { what, source: io::Error::from(error) }
}
