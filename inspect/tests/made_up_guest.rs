//! Every view of a guest whose content is known.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use inspect::Kernel;
use inspect::stack::Method;
use support::{Guest, LOCK_A, LOCK_B, Layout, Options, PER_CPU_SYMBOL, RAM, ROOT, SLAB};

fn kernel() -> Kernel {
    Guest::new(Options::default()).kernel()
}

#[test]
fn the_kernel_is_found_through_vmcoreinfo_in_ram() {
    let kernel = kernel();
    assert_eq!(kernel.release(), "6.99.0-made-up");
    assert_eq!(kernel.space().root(), ROOT);
    assert_eq!(kernel.vmcoreinfo().build_id(), Some("abcdef"));
}

#[test]
fn kallsyms_is_decoded_in_every_layout_named_or_searched_for() {
    let expected = kernel().symbols().address("init_task").unwrap();
    for layout in [Layout::Before6_4, Layout::Since6_4, Layout::Since7] {
        for vmcoreinfo in [true, false] {
            let kernel = Guest::new(Options { layout, vmcoreinfo }).kernel();
            let found = kernel.symbols().address("init_task").unwrap();
            assert_eq!(found, expected, "{layout:?}, VMCOREINFO {vmcoreinfo}");
            assert_eq!(kernel.tasks().unwrap().items.len(), 4);
            let low = kernel.symbols().find("low_per_cpu");
            assert_eq!(low, (layout == Layout::Before6_4).then_some(PER_CPU_SYMBOL));
        }
    }
}

#[test]
fn tasks_have_the_state_and_names_that_were_planted() {
    let walk = kernel().tasks().unwrap();
    assert_eq!(walk.broke_at, []);
    let seen: Vec<_> =
        walk.items.iter().map(|task| (task.pid, task.comm.as_str(), task.state)).collect();
    let planted =
        [(0, "swapper/0", 'R'), (1, "init", 'S'), (10, "worker-a", 'D'), (11, "worker-b", 'D')];
    assert_eq!(seen, planted);
    let worker = &walk.items[2];
    assert_eq!((worker.ppid, worker.nice, worker.cpus_allowed.as_str()), (1, 5, "0"));
    assert!(walk.items[0].on_cpu && !worker.on_cpu);
}

#[test]
fn the_log_is_in_order_and_the_record_that_wraps_is_whole() {
    let walk = kernel().log().unwrap();
    let lines: Vec<_> = walk.items.iter().map(|record| record.text.as_str()).collect();
    assert_eq!(lines, ["Linux version 6.99", "a line that crosses the end", "deadlock ahead"]);
    assert_eq!(walk.items[2].time_ns, 102_000_000);
    assert_eq!(walk.items[2].level, 6);
}

#[test]
fn live_objects_are_those_on_no_free_list() {
    let walk = kernel().slabs().unwrap();
    assert_eq!(walk.broke_at, []);
    let cache = &walk.items[0];
    assert_eq!((cache.name.as_str(), cache.total, cache.live, cache.slabs), ("widgets", 64, 61, 1));
    for free in [2, 5, 7] {
        assert!(!cache.objects.contains(&(SLAB + free * 64)), "object {free} is free");
    }
}

#[test]
fn the_deadlock_names_both_tasks_both_locks_and_the_cycle() {
    let (locks, _) = kernel().locks().unwrap();
    assert_eq!(locks.cycles.len(), 1);
    let cycle: Vec<_> = locks.cycles[0]
        .iter()
        .map(|wait| (wait.waiter.pid, wait.lock.0, wait.owner.as_ref().map(|owner| owner.pid)))
        .collect();
    assert_eq!(cycle, [(10, LOCK_B, Some(11)), (11, LOCK_A, Some(10))]);
}

#[test]
fn a_stack_is_walked_by_frame_pointers_where_there_is_no_orc() {
    let kernel = kernel();
    let tasks = kernel.tasks().unwrap().items;
    let stack = kernel.stack(tasks[2].address.0).unwrap();
    assert_eq!(stack.method, Method::FramePointer);
    let functions: Vec<_> = stack.functions().collect();
    let path = ["__schedule", "schedule", "__mutex_lock.constprop.0", "take_b_second"];
    assert_eq!(functions, path);
}

#[test]
fn a_running_task_is_unwound_from_its_registers() {
    let kernel = kernel();
    let idle = kernel.symbols().address("init_task").unwrap();
    let stack = kernel.stack(idle).unwrap();
    assert_eq!(stack.functions().next(), Some("default_idle"));
    assert_eq!(stack.method, Method::Scan, "one frame is no chain of frame pointers");
}

#[test]
fn zones_show_where_the_count_and_the_list_disagree() {
    let walk = kernel().zones().unwrap();
    let zone = &walk.items[0];
    assert_eq!((zone.name.as_str(), zone.managed_pages, zone.free_kib), ("Normal", 2000, 20));
    let areas: Vec<_> = zone.free.iter().map(|area| (area.blocks, area.listed)).collect();
    assert_eq!(areas, [(1, 1), (2, 0)]);
}

#[test]
fn modules_run_queues_and_taint_are_read() {
    let kernel = kernel();
    let modules = kernel.modules().unwrap().items;
    assert_eq!(
        (modules[0].name.as_str(), modules[0].size, modules[0].state),
        ("gadget", 0x3000, "live")
    );
    let queues = kernel.run_queues().unwrap().items;
    assert_eq!((queues[0].cpu, queues[0].current_pid, queues[0].nr_uninterruptible), (0, 0, 2));
    assert_eq!(kernel.taint().unwrap().letters, "W");
}

#[test]
fn typed_paths_follow_pointers_and_cast() {
    let kernel = kernel();
    let value = |expression: &str| kernel.evaluate(expression).unwrap().value;
    assert_eq!(value("init_task.comm"), "swapper/0");
    assert_eq!(value("init_task.signal->nr_threads"), 1);
    assert_eq!(value("per_cpu(runqueues, 0).nr_uninterruptible"), 2);
    assert_eq!(value("(*(struct rq *)per_cpu(runqueues, 0)).nr_uninterruptible"), 2);
    let worker = kernel.tasks().unwrap().items[2].address;
    assert_eq!(value(&format!("((struct task_struct *){worker})->comm")), "worker-a");
    assert_eq!(
        value("&the_cache"),
        kernel.symbols().address("the_cache").map(|at| format!("{at:#x} <the_cache>")).unwrap()
    );
}

#[test]
fn a_wrong_path_is_answered_with_what_was_meant() {
    let kernel = kernel();
    for (expression, hint) in [
        ("init_tsk.comm", "`init_task`"),
        ("init_task.cmm", "`comm`"),
        ("(struct tsk_struct *)1", "`task_struct`"),
        ("the_cache", "cast it"),
        ("init_task.comm[", "column 16"),
        ("init_task..comm", "column 11"),
        ("per_cpu(runqueues, 7)", "a CPU that this kernel has"),
        ("*(struct rq *)0", "not mapped"),
        ("init_task.pid.x", "no members"),
        ("", "the end"),
    ] {
        let error = kernel.evaluate(expression).unwrap_err().to_string();
        assert!(error.contains(hint), "{expression}: {error}");
    }
}

#[test]
fn a_snapshot_that_differs_in_one_object_shows_that_object() {
    let before = kernel();
    let mut guest = Guest::new(Options::default());
    let active = before.symbols().address("the_cache_cpu").unwrap();
    guest.memory.write_u64(active, 0);
    let diff = before.diff(&guest.kernel()).unwrap();
    assert_eq!(diff.slabs.len(), 1);
    let change = &diff.slabs[0];
    assert_eq!((change.growth, change.new[0].0, change.gone), (1, SLAB + 7 * 64, 0));
}

#[test]
fn an_exported_vmcore_holds_the_same_kernel() {
    let directory = tempfile::tempdir().unwrap();
    for vmcoreinfo in [true, false] {
        let kernel = Guest::new(Options { vmcoreinfo, ..Options::default() }).kernel();
        let path = directory.path().join("vmcore");
        kernel.export_vmcore(&path).unwrap();
        let back = inspect::dump::open(&path).unwrap();
        assert_eq!(back.memory.end(), RAM);
        assert!(back.vmcoreinfo.is_some());
        let back = Kernel::attach(back).unwrap();
        assert_eq!(back.tasks().unwrap(), kernel.tasks().unwrap());
    }
}

#[test]
fn a_compressed_dump_holds_the_same_memory_and_the_same_kernel() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vmcore");
    let kernel = kernel();
    kernel.export_kdump(&path).unwrap();
    let back = inspect::dump::open(&path).unwrap();
    let memory = &kernel.dump().memory;
    assert_eq!(back.memory.ranges(), memory.ranges());
    let pointers = |cpus: &[inspect::dump::Registers]| cpus[0].get("rip").zip(cpus[0].get("rsp"));
    assert_eq!(pointers(&back.cpus), pointers(&kernel.dump().cpus));
    for range in memory.ranges() {
        let mut at = range.start;
        // Across pages, and not at their edges.
        while at < range.end {
            let length = usize::try_from((range.end - at).min(5000)).unwrap();
            let (mut ours, mut theirs) = (vec![0; length], vec![1; length]);
            memory.read(at, &mut ours).unwrap();
            back.memory.read(at, &mut theirs).unwrap();
            assert!(ours == theirs, "{at:#x}");
            at += length as u64;
        }
    }
    let back = Kernel::attach(back).unwrap();
    assert_eq!(back.tasks().unwrap(), kernel.tasks().unwrap());
    assert_eq!(back.slabs().unwrap(), kernel.slabs().unwrap());
}

#[test]
fn a_list_that_runs_into_itself_ends_with_a_note() {
    let mut guest = Guest::new(Options::default());
    let kernel = guest.kernel();
    let tasks = kernel.tasks().unwrap().items;
    let link = kernel.offset("task_struct", "tasks").unwrap();
    // worker-b's next is worker-a: a circle without the head.
    guest.memory.write_u64(tasks[3].address.0 + link, tasks[2].address.0 + link);
    let walk = guest.kernel().tasks().unwrap();
    assert_eq!(walk.items.len(), 4);
    assert!(walk.broke_at[0].why.contains("runs into itself"), "{:?}", walk.broke_at);
}

#[test]
fn ram_without_a_kernel_is_an_error_that_says_so() {
    let guest = Guest::new(Options::default());
    let empty = guest.dump_of(vec![0; usize::try_from(RAM).unwrap()]);
    let error = Kernel::attach(empty).unwrap_err().to_string();
    assert!(error.starts_with("no Linux kernel found"), "{error}");
}
