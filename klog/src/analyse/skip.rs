//! Functions that report, and functions that only carry out what their caller asked for: nobody's fault.
//!
//! The lists are words between blanks; a `*` at the end of a word stands for any rest of the name.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Detectors, unwinders, exception entries.
const REPORTING: &str = "\
    dump_stack* __dump_stack show_stack* dump_backtrace* unwind_backtrace print_address_description* print_report \
    kasan_report* kasan_check_* kasan_save_* kasan_set_* kasan_kmalloc* kasan_slab_* kasan_poison* kasan_unpoison* \
    kasan_object_err kasan_end_report kasan_start_report kasan_quarantine* kasan_record_* kasan_krealloc* \
    kasan_kfree* kasan_tag_mismatch kasan_complete_mode_report* kasan_mempool_* kasan_init_* __kasan_* \
    check_memory_region* __asan_* asan_* __hwasan_* hwasan_* end_report start_report kfence_report* __kfence* \
    kfence_* kcsan_* __kcsan* __tsan_* tsan_* kmsan_* __msan_* ubsan_* __ubsan_* handle_overflow panic vpanic \
    __panic check_panic_on_warn panic_* __warn* warn_slowpath_* __report_bug report_bug* fixup_bug* handle_bug exc_* \
    asm_exc_* do_error_trap do_trap* do_invalid_op invalid_op error_entry error_code page_fault do_page_fault \
    __do_page_fault trace_do_page_fault general_protection do_general_protection die die_addr __die* oops_end \
    no_context bad_area* __bad_area* page_fault_oops kernelmode_fixup_or_oops handle_page_fault do_user_addr_fault \
    do_kern_addr_fault async_page_fault do_async_page_fault notify_die trap_* double_fault do_double_fault \
    divide_error do_divide_error ret_from_exception stack_segment do_stack_segment int3 do_int3 bug_handler \
    call_break_hook brk_handler do_debug_exception el1_* el1h_* el1t_* el0_* __el1_irq do_mem_abort \
    do_translation_fault die_kernel_fault __do_kernel_fault do_kernel_fault do_undefinstr do_el1_* arm64_notify_die \
    arm64_serror_panic do_serror do_tag_check_fault do_tag_recovery do_bad_area vectors do_sea do_alignment_fault \
    do_sp_pc_abort arm64_force_sig_fault debug_exception_enter __die do_DataAbort __dabt_svc __und_svc bad_mode \
    handle_bad_stack panic_bad_stack __bad_stack nmi_* trigger_* arch_trigger_* rcu_dump_cpu_stacks* \
    print_cpu_stall* print_other_cpu_stall* check_cpu_stall* rcu_check_callbacks rcu_pending rcu_sched_clock_irq* \
    update_process_times tick_sched_* tick_nohz_* tick_handle_periodic __hrtimer_run_queues hrtimer_* __run_hrtimer \
    local_apic_timer_interrupt smp_apic_timer_interrupt __sysvec_* sysvec_* asm_sysvec_* apic_timer_interrupt \
    smp_trace_apic* call_on_stack asm_call_* instr_sysvec* run_sysvec* ret_from_intr common_interrupt \
    asm_common_interrupt do_IRQ watchdog_timer_fn watchdog_overflow_callback watchdog_hardlockup_* perf_event_* \
    __perf_event_* default_do_nmi do_nmi end_repeat_nmi arch_timer_handler* handle_percpu_devid_irq handle_irq_desc \
    generic_handle_* handle_domain_irq __handle_domain_irq gic_handle_irq call_on_irq_stack do_interrupt_handler \
    sched_show_task show_state_filter dump_cpu_task show_regs __show_regs show_trace* rcu_check_gp_kthread* \
    rcu_implicit_dynticks_qs print_tainted dump_header out_of_memory* oom_kill_process warn_alloc* bad_page \
    kernel_unpoison_pages* __kernel_unpoison* check_poison_mem slab_err* object_err* print_trailer slab_bug* check_object check_bytes_and_report free_debug_processing \
    free_to_partial_list alloc_debug_processing on_freelist validate_slab* slab_fix check_slab slab_pad_check \
    init_object lockdep_* __lockdep_* debug_locks_off rcu_lockdep* print_*_bug* print_bad_* print_circular_* \
    print_irq_* print_deadlock_* print_usage_* print_unlock_* print_freed_lock* print_lock_* check_prev* \
    check_noncircular* check_deadlock check_irq_usage check_usage* check_chain_key check_wait_context \
    validate_chain* mark_lock* mark_usage mark_held_locks valid_state* register_lock_class assign_lock_key \
    look_up_lock_class __lock_acquire* lock_acquire* __lock_release* lock_release* debug_check_no_locks_* \
    debug_check_no_locks_freed hlock_class find_held_lock reacquire_held_locks lookup_chain_cache* \
    add_chain_* graph_lock lock_set_class lock_downgrade lock_pin_lock lock_unpin_lock try_to_freeze* __refrigerator __debug_check_no_obj_freed debug_check_no_obj_freed debug_object_* __debug_object_* \
    debug_print_object debug_objects* debug_timer_* rcu_read_lock_held* rcu_lockdep_current* refcount_* __refcount_* \
    kref_* __list_add* __list_del* list_add list_add_tail list_add_rcu list_add_tail_rcu __list_add* list_del* \
    list_move* __list_move* list_splice* __list_splice* list_replace* hlist_* __hlist_* list_empty* list_is_* \
    usercopy_abort __check_object_size* check_heap_object check_object_size __check_heap_object report_usercopy \
    fortify_panic* __fortify_panic __fortify_report fortify_* __stack_chk_fail report_cfi_failure __cfi_* \
    handle_cfi_* __might_sleep ___might_sleep __might_resched __might_fault might_fault might_alloc* cond_resched* \
    __cond_resched* _cond_resched __schedule_bug schedule_debug rcu_note_context_switch check_for_stack check_for_illegal_area check_unmap \
    add_dma_entry debug_dma_* dma_map_* dma_unmap_* check_preemption_disabled debug_smp_processor_id \
    __this_cpu_preempt_check __cant_sleep __cant_migrate spin_dump spin_bug rwlock_bug* __spin_lock_debug \
    debug_spin_* debug_write_* debug_read_* rust_begin_unwind rust_panic core::* alloc::* rust_helper_* __rust_* \
    kernel::panic* BUG rust_helper_BUG __copy_overflow copy_overflow \
    irqentry_* raw_irqentry_* preempt_schedule_irq skb_panic \
    skb_over_panic skb_under_panic skb_put skb_push skb_pull check_copy_size check_object_size debug_assert_init \
    timer_is_static_object work_is_static_object proc_register proc_mkdir* proc_create* kobject_add_internal \
    kobject_add* kobject_get kobject_put kobject_init* sysfs_warn_dup copy_to_iter* copy_from_iter* _copy_to_iter* _copy_from_iter* \
    copy_page_to_iter* copy_page_from_iter* simple_copy_to_iter copyout copyin copyout_mc usb_submit_urb \
    usb_start_wait_urb usb_bulk_msg usb_interrupt_msg usb_control_msg*";

/// Copying, comparing, bit and atomic operations, allocators: they do what their caller asked for.
const HELPERS: &str = "\
    memcpy memcpy_erms memcpy_orig memcpy_fromio memcpy_toio memcpy_flushcache __memcpy* memset* __memset* memmove* \
    __memmove* memcmp __memcmp bcmp memchr* strlen strnlen __strnlen* strcpy strncpy strscpy* sized_strscpy* strlcpy \
    strcat strncat strlcat strcmp strncmp strcasecmp strncasecmp strchr* strrchr strstr strnstr strnchr strsep \
    strspn strpbrk kstrdup* kmemdup* kstrndup rep_movs* rep_stos* clear_user* __clear_user* clear_page* copy_page* \
    copy_mc* copy_user* __copy_user* _copy_to_* _copy_from_* _inline_copy* copy_to_user* copy_from_user* raw_copy_* \
    __arch_copy_* instrument_* strncpy_from_user strnlen_user do_strncpy_from_user csum_partial* __pi_* memory_copy* \
    atomic_* atomic64_* arch_atomic* raw_atomic* __atomic* atomic_long* test_bit arch_test_bit _test_bit set_bit \
    clear_bit __set_bit __clear_bit test_and_* constant_test_bit variable_test_bit find_*_bit _find_* \
    div64_* div_u64* div_s64* __div64* do_div __read_once_size* __write_once_size* __read_once* virt_to_* get_unaligned* __get_unaligned* put_unaligned* xchg* \
    cmpxchg* arch_static_branch* kfree kfree_sensitive kfree_const kfree_bulk* __kfree* kvfree kvfree_* vfree \
    vfree_atomic __vfree* kmem_cache_free* __kmem_cache_free* slab_free* __slab_free* do_slab_free* ___cache_free* \
    __cache_free* cache_free* qlist_* qlink_* quarantine_* memcg_slab_* __do_kmem_cache_free __free_pages* \
    free_pages* __free_slab discard_slab free_unref* free_pcp* free_one_page __free_one_page get_page_from_freelist \
    prep_new_page check_new_page* rmqueue* free_tail_page* __free_frozen_pages free_frozen_page* kfree_skbmem \
    kmalloc kmalloc_node* kmalloc_trace* kmalloc_order* kmalloc_large* kmalloc_noprof kmalloc_slab kmalloc_array* \
    __kmalloc* __do_kmalloc* kzalloc* kcalloc* krealloc krealloc_noprof krealloc_node* krealloc_array* __krealloc* \
    kvmalloc* kvzalloc* __kvmalloc* kmem_cache_alloc* kmem_cache_zalloc* __kmem_cache_alloc* slab_alloc* \
    ___slab_alloc* __slab_alloc* slab_post_alloc* slab_pre_alloc* new_slab* allocate_slab* alloc_slab_page* \
    alloc_pages* __alloc_pages* __alloc_frozen_pages* alloc_frozen_pages* __folio_alloc* vma_alloc_* folio_alloc* \
    folio_prealloc vmalloc vmalloc_noprof vmalloc_node* vmalloc_user* vmalloc_huge* __vmalloc* vzalloc* set_track* \
    save_stack* stack_trace_save* kmemleak_alloc* kmemleak_scan* create_object* __get_free_page* get_free_pages* \
    kmem_cache_create* kmem_cache_destroy* __kmem_cache_shutdown kmem_cache_release __kmem_cache_create* \
    __sanitizer_cov_* write_comp_data check_kcov_mode kcov_* trace_hardirqs_* trace_irq_* trace_preempt_* \
    preempt_count_* __preempt_count_* __phys_addr* in_lock_functions __kernel_text_address kernel_text_address \
    arch_stack_walk* unwind_* __unwind_* get_stack_info ftrace_* function_trace_call __fentry__ return_to_handler \
    __x86_indirect_thunk* srso_* retbleed_* __x86_return_thunk entry_ibpb";

/// Lock operations.
const LOCKING: &str = "\
    _raw_* __raw_* do_raw_* queued_* native_queued_* __pv_queued_* pv_queued* virt_spin* arch_spin_* spin_lock* \
    spin_unlock* spin_trylock* raw_spin_* read_lock* read_unlock* write_lock* write_unlock* _raw_read_* seqcount_* \
    write_seq* read_seq* bit_spin_* mutex_* __mutex_* ww_mutex_* __ww_mutex_* down up __up* __down down_* up_* \
    __down_* rwsem_* call_rwsem_* percpu_down_* percpu_up_* __percpu_* percpu_rwsem_* rt_mutex_* __rt_mutex_* \
    rtlock_* rt_spin_* rt_read_* rt_write_* task_blocks_on_rt_mutex rwbase_* optimistic_spin* osq_* local_lock* \
    __local_bh_* local_bh_* _local_bh_* rcu_read_* rcu_lock_* srcu_lock_* srcu_read_* __srcu_read_* task_lock \
    task_unlock lock_page* __lock_page* folio_lock* __folio_lock* class_mutex_* class_spinlock_* class_raw_* \
    class_rwsem_* class_rcu_* guard_* *lock_sock* lock_two_* lock_rename __wake_up* wake_up* __wake_up_common* \
    swake_up* complete complete_all";

/// What arms, cancels and frees timers, work items and callbacks for its caller.
const OBJECTS: &str = "\
    device_release kobject_release kobject_cleanup __timer_delete* add_timer* mod_timer* __mod_timer* del_timer* timer_delete* timer_shutdown* init_timer_* __init_work \
    queue_work* __queue_work* queue_delayed_work* __queue_delayed_work* mod_delayed_work* call_rcu* __call_rcu*";

/// Ways to sleep.
const SLEEPING: &str = "\
    dequeue_task* dequeue_entity* deactivate_task block_task try_to_block_task \
    __schedule schedule schedule_timeout* schedule_hrtimeout* schedule_preempt_disabled schedule_rtlock \
    preempt_schedule* __schedule_loop __switch_to* context_switch io_schedule* __io_schedule* __wait_for_common \
    do_wait_for_common wait_for_common* wait_for_completion* __wait_for_completion* wait_on_bit* __wait_on_bit* \
    out_of_line_wait_on_bit* bit_wait* wait_on_page_bit* wait_on_page_* folio_wait_* __folio_wait_* do_wait_intr* \
    prepare_to_wait* wait_event* __wait_event* msleep* usleep* do_nanosleep migration_entry_wait* __wait_on_buffer \
    wait_on_buffer rcu_sync_* __preempt_schedule* autoremove_wake* mwait_* synchronize_* \
    __synchronize_* rcu_barrier*";

/// What a hung task waits in, by parts of names: many subsystems have such functions of their own.
const WAITING: &str = "\
    *wait* *_lock *_lock_* *completion* *synchronize* *rwsem* *slowlock* rcu_barrier* *cancel_work* *cancel_delayed* \
    __flush_work* flush_work* *context_switch* kthread_stop* kthread_park*";

/// General code that calls what differs from stall to stall: entries of system calls, of files, sockets, work items,
/// timers, softirqs, page faults.
const DISPATCHERS: &str = "\
    do_syscall_* x64_sys_call ia32_sys_call do_fast_syscall_* do_int80* __do_fast_syscall* sysenter_dispatch \
    tracesys_phase2 entry_SYSCALL* entry_INT80* el0_svc* invoke_syscall* ret_fast_syscall system_call_* \
    process_one_work process_scheduled_works worker_thread *kthread* ret_from_fork* smpboot_thread_fn start_secondary \
    cpu_startup_entry do_idle rest_init run_ksoftirqd *do_softirq* handle_softirqs call_timer_fn *run_timers \
    run_timer_softirq expire_timers hrtimer_run* *hrtimer_run_queues tasklet_action* *netif_receive_skb* net_rx_action \
    napi_poll process_backlog vfs_write vfs_read vfs_iter_read vfs_iter_write do_iter_read do_iter_write \
    do_iter_readv_writev *call_read_iter *call_write_iter new_sync_read new_sync_write ksys_read ksys_write \
    vfs_ioctl do_vfs_ioctl *sys_ioctl ksys_ioctl *blkdev_ioctl blkdev_driver_ioctl full_proxy_* proc_reg_* kernfs_fop_* kernfs_seq_* sysfs_kf_* \
    iterate_dir do_splice* splice_direct_to_actor direct_splice_actor do_mmap mmap_region *call_mmap do_dentry_open \
    vfs_open sock_sendmsg sock_sendmsg_nosec __sock_sendmsg sock_recvmsg* *sock_release *sock_setsockopt \
    *sys_setsockopt *sys_getsockopt __sys_listen __sys_bind *sys_connect* *sys_accept4 kernel_sendmsg \
    *smp_call_function* __do_fault handle_mm_fault *do_page_fault page_fault exc_page_fault __fput ____fput \
    task_work_run exit_to_user* *exit_to_usermode* do_one_initcall do_init_module notifier_call_chain*";

/// Whether `function` is general code that calls what is of interest.
pub(super) fn is_dispatcher(function: &str) -> bool {
    static LIST: LazyLock<Names> = LazyLock::new(|| Names::new(&[DISPATCHERS]));
    LIST.has(function)
}

/// What allocates for others, by parts of names: who leaks calls it.
const ALLOCATING: &str = "\
    *alloc* *kmem* *slab* *mmap* *create_object* *idr_get* *list_lru_init* *kasprintf* *kvasprintf* *pcpu_create* \
    *strdup* *strndup* *memdup* *build_skb*";

/// Busy waiting and tracing, where a stalled processor is found by chance.
const SPINNING: &str = "\
    rep_nop cpu_relax native_halt native_safe_halt arch_safe_halt pv_wait* kvm_wait csd_lock_wait* \
    smp_call_function_single* smp_call_function_many* generic_exec_* delay_tsc __delay __const_udelay __udelay \
    udelay_* delay_halt* delay_loop read_hpet arch_local_* native_save_fl native_irq_* native_restore_fl arch_irqs_* \
    __do_softirq do_softirq* irq_exit* __irq_exit* invoke_softirq handle_softirqs irq_enter* queue_work* \
    lock_is_held* match_held_lock rcu_is_watching rcu_dynticks* debug_lockdep_* hlock_class kvm_clock_* pvclock_* \
    ktime_get* sched_clock* local_clock*";

/// Which lists apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skip {
    /// Reporting and helpers.
    Common,
    /// Reporting, helpers and lock operations.
    Locks,
    /// Reporting, helpers, timers and work items.
    Objects,
    /// Reporting, helpers, lock operations and sleeping.
    Sleep,
    /// Reporting, helpers, lock operations and all that sounds like waiting.
    Hung,
    /// Reporting, helpers, lock operations and busy waiting.
    Stall,
    /// Reporting, helpers and all that sounds like allocating.
    Leak,
}

/// Whether `function` is nobody's fault.
pub(super) fn skips(function: &str, skip: Skip) -> bool {
    static COMMON: LazyLock<Names> = LazyLock::new(|| Names::new(&[REPORTING, HELPERS]));
    static LOCKS: LazyLock<Names> = LazyLock::new(|| Names::new(&[LOCKING]));
    static OBJECT: LazyLock<Names> = LazyLock::new(|| Names::new(&[OBJECTS]));
    static SLEEP: LazyLock<Names> = LazyLock::new(|| Names::new(&[LOCKING, SLEEPING]));
    static HUNG: LazyLock<Names> = LazyLock::new(|| Names::new(&[LOCKING, SLEEPING, WAITING]));
    static STALL: LazyLock<Names> = LazyLock::new(|| Names::new(&[LOCKING, SPINNING]));
    static LEAK: LazyLock<Names> = LazyLock::new(|| Names::new(&[ALLOCATING]));
    let more = match skip {
        Skip::Common => None,
        Skip::Locks => Some(&LOCKS),
        Skip::Objects => Some(&OBJECT),
        Skip::Sleep => Some(&SLEEP),
        Skip::Hung => Some(&HUNG),
        Skip::Stall => Some(&STALL),
        Skip::Leak => Some(&LEAK),
    };
    COMMON.has(function) || more.is_some_and(|names| names.has(function))
}

/// Names and patterns, made for asking often.
#[derive(Debug)]
struct Names {
    whole: HashSet<&'static str>,
    /// Patterns with something in front of the first `*`, by that.
    heads: HashMap<&'static str, Vec<&'static str>>,
    /// Lengths of the heads.
    lengths: Vec<usize>,
    /// Patterns that begin with `*`.
    open: Vec<&'static str>,
}

impl Names {
    fn new(lists: &[&'static str]) -> Self {
        let entries = || lists.iter().flat_map(|list| list.split_ascii_whitespace());
        let mut heads: HashMap<&str, Vec<&str>> = HashMap::new();
        for (head, tail) in entries().filter_map(|entry| entry.split_once('*')) {
            heads.entry(head).or_default().push(tail.trim_end_matches('*'));
        }
        let open = heads.remove("").unwrap_or_default();
        let mut lengths: Vec<usize> = heads.keys().map(|head| head.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let whole = entries().filter(|entry| !entry.contains('*')).collect();
        Self { whole, heads, lengths, open }
    }

    fn has(&self, function: &str) -> bool {
        self.whole.contains(function)
            || self.open.iter().any(|part| function.contains(part))
            || self.lengths.iter().any(|&len| self.has_head(function, len))
    }

    fn has_head(&self, function: &str, len: usize) -> bool {
        let Some((head, rest)) = function.split_at_checked(len) else { return false };
        self.heads.get(head).is_some_and(|tails| tails.iter().any(|tail| rest.contains(tail)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_match_names_and_heads_of_names() {
        let names = Names::new(&["kfree* die print_*_bug* *wait*"]);
        for name in ["kfree_sensitive", "kfree", "die", "print_circular_bug", "a_wait", "wait"] {
            assert!(names.has(name), "{name}");
        }
        for name in ["die_addr", "print_report", "xkfree", ""] {
            assert!(!names.has(name), "{name}");
        }
    }

    #[test]
    fn ordinary_code_is_not_skipped() {
        for function in [
            "ext4_map_blocks",
            "tcp_sendmsg",
            "lkdtm_WARNING",
            "netlink_sendmsg",
            "upload_firmware",
        ] {
            assert!(!skips(function, Skip::Stall), "{function}");
        }
    }
}
