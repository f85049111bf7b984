//! Where things lie in guest-physical memory.

/// Three pages that Intel processors without unrestricted-guest mode need for KVM's own use; below
/// the 4 GiB line, in the hole that holds no RAM.
pub(crate) const TSS_ADDRESS: usize = 0xfffb_d000;
