//! The clock of a processor: how far its time stamp counter is ahead of the host's.
//!
//! KVM takes a write to the counter itself for an attempt to bring processors in step when it comes close to
//! what it expects, and ignores the value. The offset has no such second meaning.
//!
//! Source: Linux `Documentation/virt/kvm/devices/vcpu.rst`, section 4 (since Linux 5.16).

use std::arch::x86_64::_rdtsc;
use std::io;

use kvm_bindings::{KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, KVMIO, kvm_device_attr};
use kvm_ioctls::VcpuFd;
use vmm_sys_util::ioctl::ioctl_with_ref;
use vmm_sys_util::ioctl_iow_nr;

ioctl_iow_nr!(KVM_SET_DEVICE_ATTR, KVMIO, 0xe1, kvm_device_attr);
ioctl_iow_nr!(KVM_GET_DEVICE_ATTR, KVMIO, 0xe2, kvm_device_attr);

/// The host's counter, now.
pub(crate) fn host_counter() -> u64 {
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { _rdtsc() }
}

/// How far the processor's counter is ahead of the host's; modulo 2^64.
pub(super) fn offset(vcpu: &VcpuFd) -> io::Result<u64> {
    let mut offset = 0u64;
    let attribute = attribute((&raw mut offset).addr() as u64);
    // SAFETY: KVM writes eight bytes to the address, which is that of `offset`.
    let outcome = unsafe { ioctl_with_ref(vcpu, KVM_GET_DEVICE_ATTR(), &attribute) };
    done(outcome)?;
    // The compiler is not told that KVM wrote to it.
    // SAFETY: `offset` is initialised and aligned.
    Ok(unsafe { (&raw const offset).read_volatile() })
}

/// Sets how far the processor's counter is ahead of the host's.
pub(super) fn set_offset(vcpu: &VcpuFd, offset: u64) -> io::Result<()> {
    let attribute = attribute((&raw const offset).addr() as u64);
    // SAFETY: KVM reads eight bytes at the address, which is that of `offset`.
    done(unsafe { ioctl_with_ref(vcpu, KVM_SET_DEVICE_ATTR(), &attribute) })
}

fn attribute(address: u64) -> kvm_device_attr {
    kvm_device_attr {
        group: KVM_VCPU_TSC_CTRL,
        attr: KVM_VCPU_TSC_OFFSET.into(),
        addr: address,
        flags: 0,
    }
}

fn done(outcome: libc::c_int) -> io::Result<()> {
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
