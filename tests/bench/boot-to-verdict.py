#!/usr/bin/env python3
"""Cold boot to verdict, against virtme-ng: same kernel, same QEMU, in turn.

    tests/bench/boot-to-verdict.py [PAIRS]

Needs a built target/release/kharness (or one that KHARNESS names), a fetched kernel (`kharness kernel fetch debian`), and
`vng` on PATH (`pip install virtme-ng`) or named by VNG. Each side boots the kernel, runs
`uname -r` in it, and switches it off. Prints a line a pair and the medians.

virtme-ng's exit code is printed and not believed: with a kernel that has virtio-serial as a module
it returns 255 whatever the command did.
"""

import glob
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
KHARNESS = os.environ.get("KHARNESS") or ROOT / "target/release/kharness"
SCENARIO = "steps: [{ id: uname, run: [uname, -r] }]\n"


def kernel_image() -> str:
    cache = os.environ.get("KHARNESS_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "kharness"
    )
    images = sorted(glob.glob(f"{cache}/kernels/debian-*-amd64/boot/vmlinuz-*"))
    if not images:
        sys.exit("no kernel in the cache: run `kharness kernel fetch debian`")
    return images[-1]


def timed(argv: list[str]) -> tuple[float, int]:
    start = time.monotonic()
    ended = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=300, check=False)
    return time.monotonic() - start, ended.returncode


def ours(image: str, scenario: str, results: str) -> tuple[float, int]:
    return timed([str(KHARNESS), "run", "-k", image, "--backend", "qemu", "--run-dir", results, scenario])


def theirs(image: str) -> tuple[float, int]:
    vng = os.environ.get("VNG", "vng")
    command = f"{vng} --run {image} --disable-kvm --memory 512M --cpus 1 -- uname -r"
    # virtme-ng wants a terminal.
    return timed(["script", "--quiet", "--return", "--command", command, "/dev/null"])


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    image = kernel_image()
    ratios = []
    with tempfile.TemporaryDirectory() as scratch:
        scenario = os.path.join(scratch, "uname.yaml")
        pathlib.Path(scenario).write_text(SCENARIO)
        # Once, uncounted: caches of the kernel's ELF image and of the initramfs's base.
        ours(image, scenario, os.path.join(scratch, "warm"))
        for number in range(pairs):
            mine, code = ours(image, scenario, os.path.join(scratch, str(number)))
            if code != 0:
                sys.exit(f"kharness ended with {code}")
            other, other_code = theirs(image)
            ratios.append(mine / other)
            print(f"kharness {mine:6.2f} s (exit {code})   virtme-ng {other:6.2f} s (exit {other_code})   "
                  f"ratio {mine / other:.2f}", flush=True)
    print(f"ratio: median {statistics.median(ratios):.2f}, min {min(ratios):.2f}, max {max(ratios):.2f} "
          f"of {pairs} pairs")


if __name__ == "__main__":
    main()
