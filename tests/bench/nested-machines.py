#!/usr/bin/env python3
"""Our KVM machine beside QEMU's microvm and q35, under the same KVM: time, exits and memory of a boot.

    tests/bench/nested-machines.py [KERNEL] [--rounds N] [--append WORDS] [--cpus N]

An outer guest is emulated together with AMD's virtualisation, so that this works on hosts without a KVM of their own.
In it the machines boot KERNEL (default: debian) as a vmlinux in turns, from `exec` to the agent's first byte; the same kernel,
initramfs, memory and command line. Prints a line for each boot, the medians, and the medians of the ratios of each round.

Needs `cargo build --release` and `cargo build --release -p vmm --example beside` (or KHARNESS and BESIDE, which name the programs),
`qemu-system-x86_64`, and the kernels KERNEL and `debian`.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MACHINES = ["kvm", "microvm", "q35"]
FIRMWARE = ["qboot.rom", "bios-256k.bin", "linuxboot_dma.bin", "pvh.bin", "kvmvapic.bin"]
MEASURED = [("ready_ms", "exec to the agent's first byte, ms"), ("first_run_ms", "exec to the first KVM_RUN, ms"),
            ("first_run_cpu_ms", "CPU time until then, ms"), ("exits", "exits of the guest"),
            ("exits_to_program", "exits to the program"), ("private_kib", "private memory without guest RAM, KiB"),
            ("ram_kib", "guest RAM touched, KiB")]

OUTER = """
kernel: debian
machine: {{ nested: true, cpus: 2, memory: 3GiB }}
modules: [kvm-amd]
files: {files}
timeout: {{ boot: 5m, step: 5m, quiet: 10m, total: 3h }}
retries: 1
steps:
  - shell: |
      # They may be there already.
      mount -t debugfs none /sys/kernel/debug || true
      mount -t tracefs none /sys/kernel/tracing || true
      mkdir /tmp/s && echo 'steps: [{{ run: [uname] }}]' > /tmp/s/warm.yaml
  - run:
      argv: [sh, -c, "kharness run /tmp/s --no-canary --backend kvm --kernel /kernel/boot/vmlinuz-* --timeout-scale 20 --run-dir /tmp/run"]
      env: {{ HOME: /tmp }}
    timeout: 10m
    expect: [exit: 0]
  - id: rounds
    shell: |
      cd /tmp/.cache/kharness
      image=$(ls images/base-*.cpio | head -n 1)
      for round in $(seq {rounds}); do for machine in {machines}; do
        timeout 90 beside $machine --kernel /vmlinux --initramfs $image \\
          --append '{append}' --cpus {cpus} --memory 256 2>&1 || echo failed: $machine
      done; done
    timeout: 2h
"""


def beside() -> pathlib.Path:
    path = pathlib.Path(os.environ.get("BESIDE") or ROOT / "target/release/examples/beside").resolve()
    if not path.exists():
        sys.exit(f"{path} is not there: cargo build --release -p vmm --example beside")
    return path


def firmware() -> list[dict]:
    found = []
    for name in FIRMWARE:
        place = next((p for p in (f"/usr/share/{d}/{name}" for d in ["qemu", "seabios"]) if os.path.exists(p)), None)
        if not place:
            sys.exit(f"QEMU's {name} is not there")
        found.append({"from": os.path.realpath(place), "to": f"/usr/share/qemu/{name}"})
    # qboot is what microvm starts, under another name.
    return found + [{"from": os.path.realpath("/usr/share/qemu/qboot.rom"), "to": "/usr/share/qemu/bios-microvm.bin"}]


def vmlinux(kharness: pathlib.Path, kernel: str, directory: pathlib.Path) -> pathlib.Path:
    """The ELF image of `kernel`, without what a machine does not load."""
    shown = subprocess.run([kharness, "kernel", "show", kernel, "--json"], stdout=subprocess.PIPE, check=True)
    stripped = directory / "vmlinux"
    subprocess.run(["strip", "--strip-debug", "-o", stripped, json.loads(shown.stdout)["vmlinux"]], check=True)
    return stripped


def run(options: argparse.Namespace, directory: pathlib.Path) -> list[dict]:
    kharness = pathlib.Path(os.environ.get("KHARNESS") or ROOT / "target/release/kharness").resolve()
    # It needs no libraries but those of kharness and QEMU.
    files = ["kharness", "qemu-system-x86_64", {"from": str(beside()), "to": "/usr/bin/beside"},
             {"kernel": options.kernel, "to": "/kernel"}, *firmware()]
    files.append({"from": str(vmlinux(kharness, options.kernel, directory)), "to": "/vmlinux"})
    scenario = directory / "outer.yaml"
    scenario.write_text(OUTER.format(files=json.dumps(files), rounds=options.rounds, machines=" ".join(MACHINES),
                                     append=options.append, cpus=options.cpus))
    command = [kharness, "run", scenario, "--json", "--run-dir", directory / "run"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    steps = json.loads(ended.stdout)["results"][0]["steps"]
    lines = [step.get("stdout") or "" for step in steps if step["id"] == "rounds"][0].splitlines()
    if not lines:
        sys.exit(f"nothing was measured: {steps}")
    print("\n".join(lines))
    return [json.loads(line) for line in lines if line.startswith("{")]


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})"


def report(boots: list[dict]) -> None:
    print(f"load of the host: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    of = {machine: [boot for boot in boots if boot["machine"] == machine] for machine in MACHINES}
    for key, words in MEASURED:
        for machine, rounds in of.items():
            values = [boot[key] for boot in rounds if boot[key] is not None]
            if not values:
                continue
            line = f"{words}: {machine} {spread(values)}"
            if machine != "kvm":
                pairs = [(ours[key], other[key]) for ours, other in zip(of["kvm"], rounds) if ours[key] is not None]
                ratios = [ours / other for ours, other in pairs if other]
                line += f"; ours is {spread(ratios)} of it, {len(ratios)} pairs" if ratios else ""
            print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernel", nargs="?", default="debian")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--append", default="quiet")
    parser.add_argument("--cpus", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        report(run(options, pathlib.Path(directory)))


main()
