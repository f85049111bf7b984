// SPDX-License-Identifier: GPL-2.0

//! The C half: macros and inline functions that bindgen does not see.

use kernel::ffi::{c_char, c_int, c_uint, c_void};

extern "C" {
    fn kharness_virt_to_phys(at: *const c_void) -> u64;
    fn kharness_cpus_online() -> c_uint;
    fn kharness_this_cpu() -> c_uint;
    pub(crate) fn kharness_thread(
        run: unsafe extern "C" fn(*mut c_void) -> c_int,
        data: *mut c_void,
        cpu: c_int,
        name: *const c_char,
    ) -> *mut c_void;
    pub(crate) fn kharness_join(task: *mut c_void) -> c_int;
}

/// The physical address of something in the kernel's linear mapping, such as what kmalloc gives.
pub(crate) fn physical<T>(at: *const T) -> u64 {
    // SAFETY: arithmetic only.
    unsafe { kharness_virt_to_phys(at.cast()) }
}

/// The number of CPUs online.
pub fn cpus() -> u32 {
    // SAFETY: no requirements.
    unsafe { kharness_cpus_online() }
}

/// The CPU that this runs on; another one a moment later, unless the task is bound to it.
pub fn this_cpu() -> u32 {
    // SAFETY: no requirements.
    unsafe { kharness_this_cpu() }
}
