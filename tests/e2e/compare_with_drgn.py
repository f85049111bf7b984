"""Compares what `kharness inspect` and drgn say of one vmcore, subsystem by subsystem.

compare_with_drgn.py KHARNESS VMCORE VMLINUX; prints every difference, and fails when there is one.
"""

import json
import subprocess
import sys

import drgn
from drgn.helpers.linux import (
    for_each_module, for_each_online_cpu, for_each_online_pgdat, for_each_task, for_each_vma,
    get_dmesg, list_for_each_entry, per_cpu, task_state_to_char)
from drgn.helpers.linux.slab import for_each_slab_cache, slab_cache_for_each_allocated_object

kharness, vmcore, vmlinux = sys.argv[1:]
program = drgn.Program()
program.set_core_dump(vmcore)
program.load_debug_info([vmlinux])
differences = []


def ours(*view):
    command = [kharness, "inspect", vmcore, *view, "--json"]
    document = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    differences.extend(f"{view}: broke at {it}" for it in document["broke_at"])
    return document["items"]


def text(string):
    return string.string_().decode()


def compare(what, mine, theirs):
    print(f"{what}: {len(theirs)} compared")
    differences.extend(f"{what}: only ours: {it}" for it in sorted(mine - theirs, key=str))
    differences.extend(f"{what}: only drgn: {it}" for it in sorted(theirs - mine, key=str))


def task_of(task):
    return drgn.Object(program, "struct task_struct *", int(task["address"], 16))


def compare_tasks(tasks):
    named = {(t.pid.value_(), text(t.comm)) for t in for_each_task(program)}
    compare("tasks", {(t["pid"], t["comm"]) for t in tasks}, named)
    compare("states", {(t["pid"], t["state"]) for t in tasks},
            {(t["pid"], task_state_to_char(task_of(t))) for t in tasks})


def compare_log():
    theirs = get_dmesg(program).decode(errors="replace").split("\n")
    mine = [line for record in ours("dmesg") for line in record["text"].split("\n")]
    print(f"log lines: {len(theirs)} compared")
    # drgn ends the text with a newline.
    if len(theirs) != len(mine) + 1:
        differences.append(f"log: {len(mine)} lines of ours against {len(theirs) - 1}")
    differences.extend(f"log: {mine!r} against {theirs!r}"
                       for mine, theirs in zip(mine, theirs) if not theirs.endswith(mine))


def compare_slabs():
    live, counts = {}, {}
    for cache in ours("slabs"):
        live[cache["name"]] = live.get(cache["name"], 0) + cache["live"]
    for cache in for_each_slab_cache(program):
        name = text(cache.name)
        try:
            count = sum(1 for _ in slab_cache_for_each_allocated_object(cache, "void"))
        except (drgn.FaultError, LookupError, ValueError, NotImplementedError) as error:
            print(f"drgn cannot count {name}: {error}")
            continue
        counts[name] = counts.get(name, 0) + count
    compare("slab caches", {(name, live.get(name)) for name in counts}, set(counts.items()))


def frames_of(pid):
    """Addresses only: drgn has no names for modules without debugging information."""
    frames = program.stack_trace(pid)
    addresses = [frame.pc for frame in frames if not frame.is_inline]
    return [address for address in addresses if address >> 63]


def compare_stacks():
    unwound = 0
    for entry in ours("stack"):
        task = entry["task"]
        if not task["pid"] or task["on_cpu"] or not entry.get("stack"):
            continue
        mine = [int(frame["address"], 16) for frame in entry["stack"]["frames"]]
        theirs = frames_of(task["pid"])
        unwound += 1
        if theirs != mine[:len(theirs)] or len(theirs) < len(mine) and known(mine[len(theirs) - 1]):
            names = [frame["symbol"] for frame in entry["stack"]["frames"]]
            differences.append(f"stack of {task['pid']} {task['comm']}: {names} against "
                               f"{[hex(address) for address in theirs]}")
    print(f"stacks: {unwound} compared")


def known(address):
    """Whether drgn can unwind from there: it cannot from code of a module whose file it has not."""
    try:
        program.symbol(address)
        return True
    except LookupError:
        return False


def compare_run_queues():
    theirs = set()
    for cpu in for_each_online_cpu(program):
        queue = per_cpu(program["runqueues"], cpu)
        theirs.add((cpu, queue.nr_running.value_(), queue.nr_switches.value_(),
                    queue.curr.pid.value_()))
    mine = {(q["cpu"], q["nr_running"], q["nr_switches"], q["current_pid"])
            for q in ours("runqueues")}
    compare("run queues", mine, theirs)


def compare_zones():
    theirs = set()
    for node in for_each_online_pgdat(program):
        for zone in node.node_zones:
            if not zone.present_pages:
                continue
            for order, area in enumerate(zone.free_area):
                listed = sum(1 for kind in area.free_list
                             for _ in list_for_each_entry("struct page", kind.address_of_(), "lru"))
                theirs.add((node.node_id.value_(), text(zone.name), order,
                            area.nr_free.value_(), listed))
    mine = {(zone["node"], zone["name"], area["order"], area["blocks"], area["listed"])
            for zone in ours("zones") for area in zone["free"]}
    compare("free areas", mine, theirs)


def compare_modules():
    compare("modules", {(m["name"], int(m["address"], 16)) for m in ours("modules")},
            {(text(m.name), m.value_()) for m in for_each_module(program)})


def compare_maps(tasks):
    mine, theirs = set(), set()
    for task in (t for t in tasks if not t["kernel_thread"]):
        pid = task["pid"]
        mine |= {(pid, int(it["start"], 16), int(it["end"], 16)) for it in ours("maps", str(pid))}
        mm = task_of(task).mm
        if mm:
            theirs |= {(pid, it.vm_start.value_(), it.vm_end.value_()) for it in for_each_vma(mm)}
    compare("areas of processes", mine, theirs)


def compare_workqueues():
    queues = list_for_each_entry("struct workqueue_struct", program["workqueues"].address_of_(), "list")
    compare("workqueues", {(q["name"], int(q["address"], 16)) for q in ours("workqueues")},
            {(text(q.name), q.value_()) for q in queues})


tasks = [task for task in ours("tasks") if task["pid"]]
compare_tasks(tasks)
compare_log()
compare_modules()
compare_slabs()
compare_stacks()
compare_run_queues()
compare_zones()
compare_maps(tasks)
compare_workqueues()
print("\n".join(differences))
sys.exit(1 if differences else 0)
