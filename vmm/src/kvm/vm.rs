//! The virtual machine as KVM sees it: memory slots and interrupt controllers.

use std::io;

use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::{Kvm, VmFd};

use super::arch::layout::{IDENTITY_MAP_PAGE, TSS_ADDRESS};
use super::error::KvmError;
use super::memory::{GuestMemory, regions};

/// Makes a machine without processors and devices.
pub(crate) fn create(kvm: &Kvm, memory: &GuestMemory) -> Result<VmFd, KvmError> {
    let vm = kvm.create_vm().map_err(failed("create a virtual machine"))?;
    // Memory comes first: registering it waits for a grace period once there is an interrupt
    // controller.
    add_memory(&vm, memory)?;
    vm.set_identity_map_address(IDENTITY_MAP_PAGE)
        .map_err(failed("set KVM's identity map page"))?;
    vm.set_tss_address(TSS_ADDRESS).map_err(failed("set KVM's task state segment"))?;
    // No PIT comes with it: no kernel that finds a TSC-deadline timer needs one, and closing a
    // machine that has one takes 20 ms.
    vm.create_irq_chip().map_err(failed("create interrupt controllers"))?;
    Ok(vm)
}

fn add_memory(vm: &VmFd, memory: &GuestMemory) -> Result<(), KvmError> {
    let base = memory.ram().host_address().addr() as u64;
    (0..).zip(regions(memory.ram().size())).try_for_each(|(slot, region)| {
        let region = kvm_userspace_memory_region {
            slot,
            guest_phys_addr: region.address,
            memory_size: region.size,
            userspace_addr: base + region.offset,
            flags: 0,
        };
        // SAFETY: the regions lie within the mapping, and whoever runs the machine holds the memory.
        unsafe { vm.set_user_memory_region(region) }.map_err(failed("give the guest its RAM"))
    })
}

/// Makes a [`KvmError`] of what KVM says.
pub(crate) fn failed(what: &'static str) -> impl Fn(kvm_ioctls::Error) -> KvmError {
    move |error| KvmError::Host { what, source: io::Error::from(error) }
}
