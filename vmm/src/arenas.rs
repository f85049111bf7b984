//! The memory allocator of a process with many short-lived threads.

/// Has all threads share two arenas of glibc's allocator. By itself it makes up to eight for each CPU, and what the threads of
/// machines that are gone have left in each of them adds up. Call it before there are threads.
#[cfg(target_env = "gnu")]
pub fn share_arenas() {
    // SAFETY: it sets a number in the allocator (mallopt(3)). Where it refuses, everything is as before.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 2) };
}

/// Other allocators have none.
#[cfg(not(target_env = "gnu"))]
pub fn share_arenas() {}
