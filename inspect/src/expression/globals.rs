//! Types of global variables. BTF has them for per-CPU variables only, so those that people ask for are
//! listed here; everything else needs a cast.

/// Variable and type: a struct's name, with `*` for each pointer.
const GLOBALS: &[(&str, &str)] = &[
    ("init_task", "task_struct"),
    ("init_mm", "mm_struct"),
    ("init_net", "net"),
    ("init_pid_ns", "pid_namespace"),
    ("init_uts_ns", "uts_namespace"),
    ("init_user_ns", "user_namespace"),
    ("init_cred", "cred"),
    ("init_css_set", "css_set"),
    ("cgrp_dfl_root", "cgroup_root"),
    ("contig_page_data", "pglist_data"),
    ("prb", "printk_ringbuffer*"),
    ("modules", "list_head"),
    ("slab_caches", "list_head"),
    ("slab_mutex", "mutex"),
    ("module_mutex", "mutex"),
    ("cgroup_mutex", "mutex"),
    ("rtnl_mutex", "mutex"),
    ("boot_cpu_data", "cpuinfo_x86"),
    ("rcu_state", "rcu_state"),
    ("root_task_group", "task_group"),
    ("root_mem_cgroup", "mem_cgroup*"),
    ("vm_event_states", "vm_event_state"),
    ("jiffies", "long unsigned int"),
    ("jiffies_64", "u64"),
    ("tainted_mask", "long unsigned int"),
    ("panic_timeout", "int"),
    ("panic_on_oops", "int"),
    ("nr_cpu_ids", "unsigned int"),
    ("nr_node_ids", "unsigned int"),
    ("total_forks", "long unsigned int"),
    ("nr_threads", "int"),
    ("max_pfn", "long unsigned int"),
    ("page_offset_base", "long unsigned int"),
    ("vmemmap_base", "long unsigned int"),
    ("vmalloc_base", "long unsigned int"),
    ("phys_base", "long unsigned int"),
    ("oops_in_progress", "int"),
    ("console_printk", "int"),
    ("debug_locks", "int"),
    ("sysctl_oom_dump_tasks", "int"),
    ("totalreserve_pages", "long unsigned int"),
];

/// The type of a global variable: name, and number of pointers to it.
pub(super) fn type_of(variable: &str) -> Option<(&'static str, u32)> {
    let (_, ty) = GLOBALS.iter().find(|(name, _)| *name == variable)?;
    let name = ty.trim_end_matches('*');
    u32::try_from(ty.len() - name.len()).ok().map(|pointers| (name, pointers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_count_pointers() {
        assert_eq!(type_of("init_task"), Some(("task_struct", 0)));
        assert_eq!(type_of("prb"), Some(("printk_ringbuffer", 1)));
        assert_eq!(type_of("no_such"), None);
    }
}
