#!/usr/bin/env python3
"""What a copy of a booted guest costs against booting one.

usage: forks.py KHARNESS [ROUNDS [BOARD]]

BOARD is `virt`, `raspi3b` or `raspi4b`, with all that it has and Debian's kernel for aarch64. Prints, over ROUNDS interleaved rounds (default 5): the time from the start of the machine to the
first step, copied and booted, with their ratio; tests a minute, copied and booted, with their ratio; and
the proportional set size (PSS, proc_pid_smaps(5)) of idle copies against their RAM.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

TESTS = 8
MEMORY_MIB = 256
SCENARIO = f"repeat: {TESTS}\nsteps:\n  - run: [%s]\n"
SMALL = f"machine: {{ cpus: 1, memory: {MEMORY_MIB}MiB }}\n"


def run(kharness, scenario, run_dir, *more):
    command = [kharness, "run", scenario, "--json", "--run-dir", run_dir, *more]
    start = time.monotonic()
    output = subprocess.run(command, check=True, capture_output=True).stdout
    seconds = time.monotonic() - start
    first_steps = [result["steps"][0]["start_ms"] for result in json.loads(output)["results"]]
    return seconds, first_steps


def one_round(kharness, scenario, directory, machine):
    forked_s, forked = run(kharness, scenario, directory / "forked", *machine)
    booted_s, booted = run(kharness, scenario, directory / "booted", "--no-fork", *machine)
    # The first copy waits for its template to be saved.
    return forked_s, statistics.median(forked[1:]), booted_s, statistics.median(booted)


def resident(run_dir):
    """PSS in KiB of each machine of the run, its RAM alone."""
    sizes = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if str(run_dir).encode() in (process / "cmdline").read_bytes().split(b"qemu", 1)[1]:
                sizes.append(ram_pss((process / "smaps").read_text()))
        except (OSError, IndexError):
            continue
    return [size for size in sizes if size]


def ram_pss(smaps):
    inside = False
    for line in smaps.splitlines():
        words = line.split()
        if "-" in words[0] and ":" not in words[0]:
            inside = "kharness-ram" in line
        elif inside and words[0] == "Pss:":
            return int(words[1])
    return 0


def idle_copies(kharness, directory):
    scenario = directory / "idle.yaml"
    scenario.write_text(SMALL + SCENARIO % "sleep, 20")
    run_dir = directory / "idle"
    command = [kharness, "run", scenario, "--json", "--run-dir", run_dir, "-j", str(TESTS)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sizes = []
    while process.poll() is None:
        now = resident(run_dir)
        sizes = now if len(now) >= len(sizes) else sizes
        time.sleep(1)
    return sizes


def main():
    kharness = pathlib.Path(sys.argv[1]).resolve()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    machine = ["--board", sys.argv[3], "-k", "debian"] if len(sys.argv) > 3 else []
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        scenario = directory / "nothing.yaml"
        scenario.write_text(("" if machine else SMALL) + SCENARIO % "uname")
        measured = [one_round(kharness, scenario, directory, machine) for _ in range(rounds)]
        for forked_s, forked, booted_s, booted in measured:
            print(f"first step: copied {forked:.0f} ms, booted {booted:.0f} ms, ratio 1/{booted / forked:.0f}; "
                  f"tests a minute: {TESTS * 60 / forked_s:.0f} and {TESTS * 60 / booted_s:.0f}, "
                  f"ratio {booted_s / forked_s:.1f}")
        ratio = statistics.median(booted / forked for _, forked, _, booted in measured)
        gain = statistics.median(booted_s / forked_s for forked_s, _, booted_s, _ in measured)
        print(f"median: a copy is at its first step in 1/{ratio:.0f} of a boot; {gain:.1f} times the tests a minute")
        if machine:
            return
        sizes = idle_copies(kharness, directory)
        share = sum(sizes) / (len(sizes) * MEMORY_MIB * 1024) if sizes else float("nan")
        print(f"{len(sizes)} idle copies: {sum(sizes) // 1024} MiB in all, {share:.1%} of their RAM")


main()
