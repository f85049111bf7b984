#!/usr/bin/env python3
"""Times `kharness inspect` beside drgn and crash on the same vmcore, in turns.

inspect.py KHARNESS SNAPSHOT VMLINUX [--drgn PYTHON] [--crash CRASH] [--rounds N]

KHARNESS is a release build. From a cold start to the list of tasks: the median of each, and the median of
the ratios of pairs. Then the whole summary, and the export with what it takes of the disk.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time

DRGN = """
import sys, drgn
from drgn.helpers.linux import for_each_task, task_state_to_char
program = drgn.Program()
program.set_core_dump(sys.argv[1])
program.load_debug_info([sys.argv[2]])
for task in for_each_task(program):
    print(task.pid.value_(), task_state_to_char(task), task.comm.string_().decode())
"""


def seconds(*command, text=None):
    start = time.perf_counter()
    subprocess.run(command, check=True, input=text, text=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def report(name, ours, theirs):
    ratios = [their / our for our, their in zip(ours, theirs)]
    print(f"{name}: {statistics.median(theirs):.3f} s ({min(theirs):.3f} to {max(theirs):.3f}), "
          f"{statistics.median(ratios):.1f} times ours ({min(ratios):.1f} to {max(ratios):.1f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ["kharness", "snapshot", "vmlinux"]:
        parser.add_argument(name)
    parser.add_argument("--drgn", help="a Python that has drgn")
    parser.add_argument("--crash", help="crash, with its options: 'crash --no_modules'")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as directory:
        run(options, directory)


def run(options, directory):
    kharness, snapshot = options.kharness, options.snapshot
    for form in ["elf", "kdump"]:
        core = os.path.join(directory, form)
        took = seconds(kharness, "snapshot", "export", snapshot, "--format", form, "-o", core)
        status = os.stat(core)
        print(f"export --format {form}: {took:.2f} s, {status.st_size >> 20} MiB long, "
              f"{status.st_blocks * 512 >> 20} MiB on disk")
    vmcore = os.path.join(directory, "elf")
    ours, raw, theirs, crashes, summaries = [], [], [], [], []
    for _ in range(options.rounds):
        ours.append(seconds(kharness, "inspect", vmcore, "tasks"))
        if options.drgn:
            theirs.append(seconds(options.drgn, "-c", DRGN, vmcore, options.vmlinux))
        if options.crash:
            command = [*options.crash.split(), "-s", options.vmlinux, vmcore]
            crashes.append(seconds(*command, text="ps\nquit\n"))
        raw.append(seconds(kharness, "inspect", snapshot, "tasks"))
        summaries.append(seconds(kharness, "inspect", snapshot))
    for name, times in [("tasks, vmcore", ours), ("tasks, snapshot", raw), ("summary", summaries)]:
        print(f"kharness, {name}: {statistics.median(times):.3f} s "
              f"({min(times):.3f} to {max(times):.3f})")
    if theirs:
        report("drgn", ours, theirs)
    if crashes:
        report("crash", ours, crashes)


main()
