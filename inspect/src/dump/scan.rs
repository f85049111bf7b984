//! VMCOREINFO found in guest RAM, with no help from a device.
//!
//! The kernel keeps the text in a page of its own, `vmcoreinfo_data` (kernel/vmcore_info.c), so it
//! starts with `OSRELEASE=` at a page boundary.

use super::VmcoreInfo;
use crate::memory::PhysicalMemory;

const PAGE: u64 = 4096;
/// Bytes read at once.
const CHUNK: u64 = 1 << 20;
const START: &[u8] = b"OSRELEASE=";
/// Start of the kernel image mapping of x86-64, `__START_KERNEL_map`.
const X86_KERNEL_MAP: u64 = 0xffff_ffff_8000_0000;

/// The VMCOREINFO of the running kernel, if it has written one. A candidate counts only if the
/// `init_uts_ns` that it names holds the same release: pages of an older kernel may linger.
#[must_use]
pub fn find_vmcoreinfo(memory: &dyn PhysicalMemory) -> Option<VmcoreInfo> {
    let mut from = 0;
    let mut chunk = Vec::new();
    while let Some(data) = memory.next_data(from) {
        let start = data.start & !(PAGE - 1);
        let end = data.end.min(start.saturating_add(CHUNK));
        chunk.resize(crate::bytes::index(end - start), 0);
        if memory.read(start, &mut chunk).is_ok()
            && let Some(found) = find_in(memory, &chunk)
        {
            return Some(found);
        }
        from = end;
    }
    None
}

fn find_in(memory: &dyn PhysicalMemory, chunk: &[u8]) -> Option<VmcoreInfo> {
    chunk
        .chunks(crate::bytes::index(PAGE))
        .filter(|page| page.starts_with(START))
        .map(VmcoreInfo::parse)
        .find(|info| agrees_with_memory(memory, info))
}

fn agrees_with_memory(memory: &dyn PhysicalMemory, info: &VmcoreInfo) -> bool {
    let Some((release, at)) = info.release().zip(uts_physical(info)) else {
        return false;
    };
    let mut names = [0; 512];
    !release.is_empty()
        && memory.read(at, &mut names).is_ok()
        && memchr::memmem::find(&names, release.as_bytes()).is_some()
}

/// Guest-physical address of `init_uts_ns`, a variable of the kernel image.
fn uts_physical(info: &VmcoreInfo) -> Option<u64> {
    let at = info.symbol("init_uts_ns")?;
    if let Some(offset) = info.number("kimage_voffset") {
        return Some(at.wrapping_sub(offset.cast_unsigned()));
    }
    let base = info.number("phys_base")?;
    Some(at.wrapping_sub(X86_KERNEL_MAP).wrapping_add_signed(base))
}
