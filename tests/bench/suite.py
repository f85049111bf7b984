#!/usr/bin/env python3
"""Scenarios a minute of the locking suite: copies of one booted guest, against booting each.

usage: suite.py KHARNESS [ROUNDS]

Prints for each of ROUNDS rounds (default 1), on the kernel `debug`, twice as many guests at a time as there are CPUs: tests a
minute from copies, of the whole suite three times, so that the one boot and the longest test count as they do in longer
runs; tests a minute with `--no-fork`, of the suite once; and how often a minute virtme-ng (`vng` on PATH, or named by VNG; left
out where there is none) boots Debian's stock kernel, two at a time, and runs `uname -r` in it, which is less than any of the
scenarios does. Both with all scenarios, and without those tagged `slow`, which wait for seconds whatever runs them.
"""

import glob
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOOTS = 4
JOBS = str(2 * os.cpu_count())


def a_minute(kharness, directory, scenarios, *more):
    command = [kharness, "run", *scenarios, "-k", "debug", "-j", JOBS, "--json", "--no-canary", "--run-dir", directory, *more]
    start = time.monotonic()
    ended = subprocess.run(command, capture_output=True, cwd=ROOT, text=True)
    seconds = time.monotonic() - start
    if not ended.stdout:
        sys.exit(f"kharness ended with {ended.returncode}: {ended.stderr}")
    results = [result for result in json.loads(ended.stdout)["results"] if result["attempts"]]
    bad = [f"{result['id']}: {result['cause']}" for result in results if result["status"] != "pass"]
    if bad:
        print(f"not passed: {'; '.join(bad)}", file=sys.stderr)
    return len(results) * 60 / seconds


def scenarios():
    everything = sorted((ROOT / "scenarios/locking").glob("*.yaml"))
    return {"all": everything, "not slow": [path for path in everything if "slow" not in path.read_text()]}


def boots_a_minute(vng):
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "kharness"
    images = sorted(glob.glob(f"{cache}/kernels/debian-*-amd64/boot/vmlinuz-*"))
    if not images:
        sys.exit("no kernel for virtme-ng: run `kharness kernel fetch debian`")
    command = f"{vng} --run {images[-1]} --disable-kvm --memory 512M --cpus 2 -- uname -r"
    # It runs programs that were installed beside it.
    env = {**os.environ, "PATH": f"{os.path.dirname(os.path.abspath(vng))}:{os.environ['PATH']}"}
    # virtme-ng wants a terminal.
    words = ["script", "--quiet", "--return", "--command", command, "/dev/null"]

    def boot(_):
        ended = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False, env=env, text=True)
        # Where virtio-serial is a module, as in Debian's kernel, nothing comes back, and the exit code is 255.
        if ended.returncode not in (0, 255):
            sys.exit(f"virtme-ng did not boot: {ended.stdout}{ended.stderr}")

    start = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(boot, range(BOOTS)))
    return BOOTS * 60 / (time.monotonic() - start)


def main():
    kharness = pathlib.Path(sys.argv[1]).resolve()
    vng = os.environ.get("VNG") or shutil.which("vng")
    with tempfile.TemporaryDirectory() as name:
        for number in range(int(sys.argv[2]) if len(sys.argv) > 2 else 1):
            for what, paths in scenarios().items():
                # Once, uncounted: modules are built, and the history knows how long each takes.
                if number == 0:
                    a_minute(kharness, f"{name}/warm", paths)
                forked = a_minute(kharness, f"{name}/forked", paths, "--repeat", "3")
                booted = a_minute(kharness, f"{name}/booted", paths, "--no-fork")
                line = f"{what}: copied {forked:.0f} a minute, booted {booted:.0f} ({forked / booted:.1f} times)"
                if vng:
                    theirs = boots_a_minute(vng)
                    line += f", virtme-ng boots {theirs:.0f} ({forked / theirs:.1f} times)"
                print(f"{line}; load {os.getloadavg()[0]:.1f}", flush=True)


main()
