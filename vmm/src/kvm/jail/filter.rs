//! The system calls that are left.
//!
//! A call that is not in the table is refused with `EPERM` instead of ending the process: the same
//! process holds other machines, and the results of the run. Nothing is gained by a guest that
//! gets an error instead of a kill.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

/// `KVM_RUN`, and what tells of a processor that failed: `KVM_GET_REGS`, `KVM_GET_SREGS`,
/// `KVM_TRANSLATE` (`linux/kvm.h`).
const IOCTLS: [u64; 4] = [0xae80, 0x8090_ae81, 0x8138_ae83, 0xc018_ae85];

/// Calls that are allowed whatever their arguments, and what for.
const ALWAYS: [c_long; 22] = [
    // Locks, and waiting.
    libc::SYS_futex,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_sched_yield,
    libc::SYS_restart_syscall,
    // The time, where the vDSO has none.
    libc::SYS_clock_gettime,
    // Interrupts to the guest (eventfd); the message of a panic.
    libc::SYS_write,
    // Disks, which are open. Writing goes to memory that cannot grow.
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    // The entropy device.
    libc::SYS_getrandom,
    // The allocator.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Being kicked, and kicking.
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_gettid,
    libc::SYS_getpid,
    // The end of a thread; of the process, should a panic abort.
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rseq,
];

/// The filter.
pub(super) fn program() -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALWAYS.into_iter().map(|call| (call, Vec::new())).collect();
    let ioctls = IOCTLS.map(|request| rule(1, SeccompCmpOp::Eq, request));
    rules.insert(libc::SYS_ioctl, ioctls.into_iter().collect::<Result<_, _>>()?);
    // No thread here may signal another process.
    let own = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, vec![rule(0, SeccompCmpOp::Eq, own)?]);
    // Memory for the allocator, but none that can be executed.
    let executable = SeccompCmpOp::MaskedEq(u64::from(libc::PROT_EXEC.unsigned_abs()));
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![rule(2, executable.clone(), 0)?]);
    }
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(rules, refuse, SeccompAction::Allow, TargetArch::x86_64)?.try_into()
}

fn rule(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        operator,
        value,
    )?])
}
