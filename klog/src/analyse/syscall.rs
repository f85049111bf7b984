//! System calls have many entry functions; one name stands for all.

use std::borrow::Cow;

/// `sys_read` for `__x64_sys_read`, `__se_sys_read`, before 4.17 `SyS_read`, `SYSC_read` and so on
/// (`arch/*/include/asm/syscall_wrapper.h`, `include/linux/syscalls.h`); `__do_sys_read` holds the code, and stays.
pub(super) fn plain_name(function: &str) -> Cow<'_, str> {
    const WRAPPERS: [&str; 7] =
        ["__x64_", "__ia32_", "__arm64_", "__se_", "__riscv_", "__s390x_", "__s390_"];
    const OLD: [&str; 4] = ["SyS_", "SYSC_", "compat_SyS_", "C_SYSC_"];
    if let Some(call) = OLD.iter().find_map(|wrapper| function.strip_prefix(wrapper)) {
        return Cow::Owned(format!("sys_{call}"));
    }
    let inner = WRAPPERS.iter().find_map(|wrapper| function.strip_prefix(wrapper));
    let call = inner.filter(|inner| inner.starts_with("sys_") || inner.starts_with("compat_sys_"));
    Cow::Borrowed(call.unwrap_or(function))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_are_taken_off_system_calls_only() {
        assert_eq!(plain_name("__x64_sys_read"), "sys_read");
        assert_eq!(plain_name("SyS_read"), "sys_read");
        assert_eq!(plain_name("__do_softirq"), "__do_softirq");
    }
}
