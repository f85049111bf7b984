//! What is in the guest: an idle task, `init`, two workers that deadlock on two mutexes, three log
//! records, one slab cache of 64 objects with three free ones, a module, and a zone.

use super::btf::{Btf, Struct};
use super::guest::Guest;
use super::memory::{DIRECT, PAGES};

const TASKS: u64 = DIRECT + 0x10_0000;
const STACKS: u64 = DIRECT + 0x12_0000;
const STACK_SIZE: u64 = 0x4000;
const SIGNALS: u64 = DIRECT + 0x11_0000;
/// The two mutexes of the deadlock.
pub const LOCK_A: u64 = DIRECT + 0x16_0000;
pub const LOCK_B: u64 = DIRECT + 0x16_0100;
/// The only slab: a page of 64 objects of 64 bytes.
pub const SLAB: u64 = DIRECT + 0x18_0000;
const SLAB_FRAME: u64 = 0x180;
const FREE_FRAME: u64 = 0x190;
const MODULE: u64 = DIRECT + 0x1a_0000;
const LOG: u64 = DIRECT + 0x1b_0000;
const RANDOM: u64 = 0x1234_5678_9abc_def0;
const PAGE_SIZE: u64 = 64;

/// The types that inspection asks for.
pub fn types() -> Btf {
    let mut btf = Btf::new();
    btf.structure("list_head", &[("next", "ptr"), ("prev", "ptr")]);
    btf.structure("atomic64_t", &[("counter", "u64")]);
    btf.structure("cpumask", &[("bits", "u64")]);
    task_types(&mut btf);
    lock_types(&mut btf);
    log_types(&mut btf);
    slab_types(&mut btf);
    zone_types(&mut btf);
    module_types(&mut btf);
    btf.variable("runqueues", "rq");
    btf
}

fn task_types(btf: &mut Btf) {
    btf.structure("signal_struct", &[("nr_threads", "s32"), ("thread_head", "list_head")]);
    btf.structure("thread_info", &[("flags", "u64"), ("cpu", "u32")]);
    btf.structure("thread_struct", &[("sp", "u64")]);
    let stack = btf.array("u8", u32::try_from(STACK_SIZE).unwrap());
    let union = btf.member(Struct::new("thread_union"), "stack", stack);
    btf.finish(union);
    let comm = btf.array("char", 16);
    let signal = btf.pointer("signal_struct");
    let mut task = Struct::new("task_struct");
    for (name, ty) in [
        ("thread_info", "thread_info"),
        ("__state", "u32"),
        ("stack", "ptr"),
        ("flags", "u32"),
        ("on_cpu", "s32"),
        ("prio", "s32"),
        ("static_prio", "s32"),
        ("policy", "u32"),
        ("cpus_mask", "cpumask"),
        ("tasks", "list_head"),
        ("exit_state", "s32"),
        ("pid", "s32"),
        ("tgid", "s32"),
        ("real_parent", "ptr"),
        ("thread_node", "list_head"),
        ("thread", "thread_struct"),
    ] {
        task = btf.member(task, name, btf.id(ty));
    }
    task = btf.member(task, "comm", comm);
    task = btf.member(task, "signal", signal);
    btf.finish(task);
    let rq = [("nr_running", "u32"), ("nr_uninterruptible", "u32"), ("nr_switches", "u64")];
    let rq = rq.into_iter().chain([("curr", "ptr"), ("idle", "ptr")]);
    btf.structure("rq", &rq.collect::<Vec<_>>());
}

fn lock_types(btf: &mut Btf) {
    btf.structure(
        "mutex",
        &[("owner", "atomic64_t"), ("wait_lock", "u32"), ("wait_list", "list_head")],
    );
    btf.structure("mutex_waiter", &[("list", "list_head"), ("task", "ptr")]);
    let members = [("count", "atomic64_t"), ("owner", "atomic64_t"), ("wait_list", "list_head")];
    btf.structure("rw_semaphore", &members);
    btf.structure("rwsem_waiter", &[("list", "list_head"), ("task", "ptr")]);
}

fn log_types(btf: &mut Btf) {
    btf.structure("prb_data_blk_lpos", &[("begin", "u64"), ("next", "u64")]);
    btf.structure(
        "prb_desc",
        &[("state_var", "atomic64_t"), ("text_blk_lpos", "prb_data_blk_lpos")],
    );
    let numbers = [("seq", "u64"), ("ts_nsec", "u64"), ("text_len", "u16")];
    let bytes = [("facility", "u8"), ("level", "u8"), ("caller_id", "u32")];
    btf.structure("printk_info", &[numbers, bytes].concat());
    let ring = [("count_bits", "u32"), ("descs", "ptr"), ("infos", "ptr")];
    let ids = [("head_id", "atomic64_t"), ("tail_id", "atomic64_t")];
    btf.structure("prb_desc_ring", &ring.into_iter().chain(ids).collect::<Vec<_>>());
    btf.structure("prb_data_ring", &[("size_bits", "u32"), ("data", "ptr")]);
    let rings = [("desc_ring", "prb_desc_ring"), ("text_data_ring", "prb_data_ring")];
    btf.structure("printk_ringbuffer", &rings);
}

fn slab_types(btf: &mut Btf) {
    let sizes =
        [("size", "u32"), ("object_size", "u32"), ("offset", "u32"), ("red_left_pad", "u32")];
    let rest = [("cpu_slab", "ptr"), ("name", "ptr"), ("list", "list_head"), ("random", "u64")];
    btf.structure("kmem_cache", &[sizes, rest].concat());
    btf.structure("kmem_cache_cpu", &[("freelist", "ptr")]);
    let slab = [("flags", "u64"), ("slab_list", "list_head"), ("slab_cache", "ptr")];
    let slab = slab.into_iter().chain([("freelist", "ptr"), ("objects", "u32")]);
    btf.structure("slab", &slab.collect::<Vec<_>>());
    let pad = btf.array("u64", 3);
    let mut page = Struct::new("page");
    page = btf.member(page, "flags", btf.id("u64"));
    page = btf.member(page, "lru", btf.id("list_head"));
    page = btf.member(page, "pad", pad);
    page = btf.member(page, "page_type", btf.id("u32"));
    page = btf.member(page, "end", btf.id("u64"));
    btf.finish(page);
    btf.constant("pagetype", "PGTY_slab", 0xf5);
}

fn zone_types(btf: &mut Btf) {
    btf.structure("free_area", &[("free_list", "list_head"), ("nr_free", "u64")]);
    let areas = btf.array("free_area", 2);
    let mut zone = Struct::new("zone");
    zone = btf.member(zone, "managed_pages", btf.id("atomic64_t"));
    zone = btf.member(zone, "present_pages", btf.id("u64"));
    zone = btf.member(zone, "name", btf.id("ptr"));
    zone = btf.member(zone, "free_area", areas);
    btf.finish(zone);
    btf.structure("pglist_data", &[("node_zones", "zone"), ("nr_zones", "s32")]);
}

fn module_types(btf: &mut Btf) {
    btf.structure("module_memory", &[("base", "ptr"), ("size", "u32")]);
    let (name, memory) = (btf.array("char", 56), btf.array("module_memory", 2));
    let mut module = Struct::new("module");
    module = btf.member(module, "state", btf.id("u32"));
    module = btf.member(module, "list", btf.id("list_head"));
    module = btf.member(module, "name", name);
    module = btf.member(module, "mem", memory);
    btf.finish(module);
}

/// Puts everything into the guest.
pub fn fill(guest: &mut Guest) {
    cpus(guest);
    tasks(guest);
    log(guest);
    slabs(guest);
    zones(guest);
    modules(guest);
    let taint = guest.variable("tainted_mask", 8);
    guest.memory.write_u64(taint, 1 << 9);
}

fn cpus(guest: &mut Guest) {
    for mask in ["__cpu_online_mask", "__cpu_possible_mask"] {
        let at = guest.variable(mask, 8);
        guest.memory.write_u64(at, 1);
    }
    let count = guest.variable("nr_cpu_ids", 4);
    guest.memory.write_u32(count, 1);
    guest.variable("__per_cpu_offset", 8);
}

fn tasks(guest: &mut Guest) {
    let idle = guest.variable("init_task", guest.btf.size("task_struct"));
    let [init, a, b] = [0, 1, 2].map(|number| TASKS + number * 0x1000);
    for (slot, (at, pid, name, state)) in [
        (idle, 0, "swapper/0", 0),
        (init, 1, "init", 1),
        (a, 10, "worker-a", 2),
        (b, 11, "worker-b", 2),
    ]
    .into_iter()
    .enumerate()
    {
        task(guest, at, u32::try_from(pid).unwrap(), name, state, slot as u64);
        guest.set(at, "task_struct", "real_parent", if pid > 1 { init } else { idle });
    }
    guest.set32(idle, "task_struct", "on_cpu", 1);
    let node = guest.btf.offset("task_struct", "tasks");
    guest.memory.link(idle + node, &[init + node, a + node, b + node]);
    let queue = guest.variable("runqueues", guest.btf.size("rq"));
    guest.set(queue, "rq", "curr", idle);
    guest.set(queue, "rq", "idle", idle);
    guest.set32(queue, "rq", "nr_uninterruptible", 2);
    let idle_function = guest.function("default_idle");
    guest.running = (idle_function, STACKS + STACK_SIZE - 64);
    let functions = ["__schedule", "schedule", "__mutex_lock.constprop.0"];
    let path = functions.map(|name| guest.function(name));
    for (task, name, slot, held, wanted) in
        [(a, "take_b_second", 2, LOCK_A, LOCK_B), (b, "take_a_second", 3, LOCK_B, LOCK_A)]
    {
        let caller = guest.function(name);
        guest.set(held, "mutex", "owner", task | 1);
        blocked(guest, task, slot, wanted, &[path[0], path[1], path[2], caller]);
    }
}

fn task(guest: &mut Guest, at: u64, pid: u32, name: &str, state: u32, slot: u64) {
    let signal = SIGNALS + slot * 0x100;
    for (member, value) in
        [("pid", pid), ("tgid", pid), ("__state", state), ("prio", 120), ("static_prio", 125)]
    {
        guest.set32(at, "task_struct", member, value);
    }
    guest.set(at, "task_struct", "cpus_mask", 1);
    guest.set(at, "task_struct", "stack", STACKS + slot * STACK_SIZE);
    guest.set(at, "task_struct", "signal", signal);
    let comm = at + guest.btf.offset("task_struct", "comm");
    guest.memory.write(comm, name.as_bytes());
    let (head, node) = (
        signal + guest.btf.offset("signal_struct", "thread_head"),
        at + guest.btf.offset("task_struct", "thread_node"),
    );
    guest.memory.link(head, &[node]);
    guest.set32(signal, "signal_struct", "nr_threads", 1);
    let sp = STACKS + (slot + 1) * STACK_SIZE - 0x200;
    guest.set(at, "task_struct", "thread", sp);
}

/// The stack of a task that sleeps for a mutex: the frame of the context switch, a chain of frame
/// pointers, and the waiter that is on the lock's list.
fn blocked(guest: &mut Guest, task: u64, slot: u64, lock: u64, path: &[u64]) {
    let sp = STACKS + (slot + 1) * STACK_SIZE - 0x200;
    // An address inside of the lock comes first, as it does on the stacks of real kernels.
    guest.memory.write_u64(sp, lock + 8);
    guest.memory.write_u64(sp + 8, lock);
    guest.memory.write_u64(sp + 48, path[0]);
    let mut bp_at = sp + 40;
    for (number, ip) in (1..).zip(&path[1..]) {
        let frame = sp + 0x40 * number;
        guest.memory.write_u64(bp_at, frame);
        guest.memory.write_u64(frame + 8, *ip);
        bp_at = frame;
    }
    let waiter = sp + 0x180;
    guest.set(waiter, "mutex_waiter", "task", task);
    let head = lock + guest.btf.offset("mutex", "wait_list");
    guest.memory.link(head, &[waiter]);
}

/// A ring of four descriptors and 256 bytes of text. The second record crosses the end of the text, so
/// it lies at the start.
fn log(guest: &mut Guest) {
    let (ring, descs, infos, text) = (LOG, LOG + 0x400, LOG + 0x800, LOG + 0xc00);
    let prb = guest.variable("prb", 8);
    guest.memory.write_u64(prb, ring);
    let ring_at = |member| guest_offset(guest, "prb_desc_ring", member);
    let members = ["count_bits", "descs", "infos", "head_id", "tail_id"].map(ring_at);
    let text_ring = ring + guest.btf.offset("printk_ringbuffer", "text_data_ring");
    for (offset, value) in members.into_iter().zip([2, descs, infos, 102, 100]) {
        guest.memory.write_u64(ring + offset, value);
    }
    guest.memory.write_u64(text_ring, 8);
    guest.set(text_ring, "prb_data_ring", "data", text);
    let records = [
        (100, 200, 200, "Linux version 6.99"),
        (101, 232, 0, "a line that crosses the end"),
        (102, 256 + 48, 48, "deadlock ahead"),
    ];
    for (id, begin, at, line) in records {
        let (desc, info) = (
            descs + (id % 4) * guest.btf.size("prb_desc"),
            infos + (id % 4) * guest.btf.size("printk_info"),
        );
        guest.set(desc, "prb_desc", "state_var", 2 << 62 | id);
        guest.set(desc, "prb_desc", "text_blk_lpos", begin);
        guest.set(info, "printk_info", "seq", id);
        guest.set(info, "printk_info", "ts_nsec", id * 1_000_000);
        let length = guest.btf.offset("printk_info", "text_len");
        guest.memory.write(info + length, &u16::try_from(line.len()).unwrap().to_le_bytes());
        let level = guest.btf.offset("printk_info", "level");
        guest.memory.write(info + level, &[6]);
        guest.memory.write_u64(text + at, id);
        guest.memory.write(text + at + 8, line.as_bytes());
    }
}

fn guest_offset(guest: &Guest, ty: &'static str, member: &'static str) -> u64 {
    guest.btf.offset(ty, member)
}

/// Objects 2 and 5 are on the slab's free list, object 7 on the CPU's.
fn slabs(guest: &mut Guest) {
    let head = guest.variable("slab_caches", 16);
    let cache = guest.variable("the_cache", guest.btf.size("kmem_cache"));
    let active = guest.variable("the_cache_cpu", 8);
    let name = guest.variable("the_cache_name", 16);
    guest.memory.write(name, b"widgets");
    let list = cache + guest.btf.offset("kmem_cache", "list");
    guest.memory.link(head, &[list]);
    for (member, value) in [("size", 64), ("object_size", 56), ("offset", 32)] {
        guest.set32(cache, "kmem_cache", member, value);
    }
    for (member, value) in [("cpu_slab", active), ("name", name), ("random", RANDOM)] {
        guest.set(cache, "kmem_cache", member, value);
    }
    let page = PAGES + SLAB_FRAME * PAGE_SIZE;
    guest.set32(page, "page", "page_type", 0xf500_0000);
    guest.set(page, "slab", "slab_cache", cache);
    guest.set32(page, "slab", "objects", 64);
    guest.set(page, "slab", "freelist", object(2));
    free_link(guest, object(2), object(5));
    free_link(guest, object(5), 0);
    guest.memory.write_u64(active, object(7));
    free_link(guest, object(7), 0);
}

fn object(number: u64) -> u64 {
    SLAB + number * 64
}

fn free_link(guest: &mut Guest, from: u64, to: u64) {
    let at = from + 32;
    guest.memory.write_u64(at, to ^ RANDOM ^ at.swap_bytes());
}

/// One free block of order 0 that is listed, and two of order 1 that are not.
fn zones(guest: &mut Guest) {
    let node = guest.variable("contig_page_data", guest.btf.size("pglist_data"));
    let name = guest.variable("zone_name", 8);
    guest.memory.write(name, b"Normal");
    guest.set32(node, "pglist_data", "nr_zones", 1);
    guest.set(node, "zone", "managed_pages", 2000);
    guest.set(node, "zone", "present_pages", 2048);
    guest.set(node, "zone", "name", name);
    let area = node + guest.btf.offset("zone", "free_area");
    let page = PAGES + FREE_FRAME * PAGE_SIZE + guest.btf.offset("page", "lru");
    guest.memory.link(area, &[page]);
    guest.set(area, "free_area", "nr_free", 1);
    let next = area + guest.btf.size("free_area");
    guest.memory.link(next, &[]);
    guest.set(next, "free_area", "nr_free", 2);
}

fn modules(guest: &mut Guest) {
    let head = guest.variable("modules", 16);
    let list = MODULE + guest.btf.offset("module", "list");
    guest.memory.link(head, &[list]);
    let name = MODULE + guest.btf.offset("module", "name");
    guest.memory.write(name, b"gadget");
    let memory = MODULE + guest.btf.offset("module", "mem");
    guest.memory.write_u64(memory, 0xffff_ffff_c000_0000);
    guest.memory.write_u32(memory + 8, 0x3000);
}
