//! Huge pages behind guest RAM: of a small page, each first access brings the guest out; of a huge one, one of 512.

use std::ops::Range;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// A huge page of x86-64 and of aarch64 with small pages of 4 KiB, in bytes.
pub(super) const HUGE_PAGE: usize = 2 << 20;

const SMALL_PAGE: usize = 4096;

/// Address space for `length` bytes and no access to it, at a multiple of [`HUGE_PAGE`]: only then can
/// KVM map a huge page as one.
pub(super) fn reserve(length: usize) -> rustix::io::Result<*mut u8> {
    let all = length.checked_add(HUGE_PAGE).ok_or(rustix::io::Errno::NOMEM)?;
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
    let base = unsafe { mmap_anonymous(std::ptr::null_mut(), all, ProtFlags::empty(), flags) }?;
    let before = base.addr().next_multiple_of(HUGE_PAGE) - base.addr();
    let aligned = base.cast::<u8>().wrapping_add(before);
    let end = length.next_multiple_of(SMALL_PAGE);
    for (start, length) in [(base.cast(), before), (aligned.wrapping_add(end), all - before - end)]
    {
        if length > 0 {
            // SAFETY: both lie in the mapping that was just made, around what is given away.
            unsafe { munmap(start.cast(), length) }?;
        }
    }
    Ok(aligned)
}

/// Lets the kernel use huge pages as the mapping is accessed. It does where
/// `/sys/kernel/mm/transparent_hugepage/shmem_enabled` is `advise` or more.
pub(super) fn advise(base: *mut u8, length: usize) {
    // SAFETY: the advice changes no byte. Where it is refused, pages stay small.
    let _ = unsafe { madvise(base.cast(), length, Advice::LinuxHugepage) };
}

/// Puts huge pages behind `range` of the mapping at `base`, whatever the host's settings are, for as far as it has
/// such pages at hand (`MADV_COLLAPSE`, Linux 6.1). Bytes stay what they are.
pub(super) fn collapse(base: *mut u8, range: Range<usize>) {
    for start in range.step_by(HUGE_PAGE) {
        let page = base.wrapping_add(start).cast();
        // SAFETY: the caller's range lies in the mapping, and neither advice changes a byte.
        let made = unsafe {
            // A piece of the file without any page would not be made huge.
            madvise(page, SMALL_PAGE, Advice::LinuxPopulateWrite).is_ok()
                && libc::madvise(page, HUGE_PAGE, libc::MADV_COLLAPSE) == 0
        };
        if !made {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::GuestRam;

    const SIZE: u64 = 7 << 20;

    #[test]
    fn ram_starts_at_a_multiple_of_a_huge_page() {
        for size in [4096, 2 << 20, SIZE] {
            let ram = GuestRam::new(size).unwrap();
            assert_eq!(ram.host_address().addr() % super::HUGE_PAGE, 0);
        }
    }

    #[test]
    fn huge_pages_change_no_byte_and_nothing_outside_of_the_ram_is_asked_for() {
        let ram = GuestRam::new(SIZE).unwrap();
        ram.write(5000, b"before").unwrap();
        ram.use_huge_pages(4097..u64::MAX);
        ram.use_huge_pages(SIZE..SIZE + 1);
        let mut bytes = [0; 8];
        ram.read(4999, &mut bytes).unwrap();
        assert_eq!(&bytes, b"\0before\0");
        ram.read(SIZE - 8, &mut bytes).unwrap();
        assert_eq!(bytes, [0; 8]);
    }
}
