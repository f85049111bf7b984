//! System calls have many entry functions; one name stands for all.

/// `sys_read` for `__x64_sys_read`, `__se_sys_read`, `__do_sys_read`, `SyS_read`, `ksys_read` and so on
/// (`arch/*/include/asm/syscall_wrapper.h`, `include/linux/syscalls.h`).
pub(super) fn plain_name(function: &str) -> &str {
    const WRAPPERS: [&str; 8] =
        ["__x64_", "__ia32_", "__arm64_", "__se_", "__do_", "__riscv_", "__s390x_", "__s390_"];
    let inner = WRAPPERS.iter().find_map(|wrapper| function.strip_prefix(wrapper));
    inner
        .filter(|inner| inner.starts_with("sys_") || inner.starts_with("compat_sys_"))
        .unwrap_or(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_are_taken_off_system_calls_only() {
        assert_eq!(plain_name("__x64_sys_read"), "sys_read");
        assert_eq!(plain_name("__do_softirq"), "__do_softirq");
    }
}
