#!/usr/bin/env python3
"""How often two planted races show, with vCPUs delayed against each other (`perturb:`) and without.

usage: perturb.py KHARNESS [RUNS [ROUNDS [SEED]]]

Runs each race RUNS times (default 100) of ROUNDS rounds (default 50), with seeds from SEED on (default 1000): perturbed, perturbed again with the same seeds, and
not perturbed, in turns of ten. Prints how often it showed, with Wilson's interval of 95 %. Needs the kernel `debug`.
"""

import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

TURN = 10
RACES = {"lost update": ("a_count_is_lost", "a count was lost"),
         "crossed locks": ("two_locks_cross", "both were blocked")}
WAYS = {"perturbed": [], "again, same seeds": [], "not perturbed": ["--no-perturb"]}
SCENARIO = """kernel: debug
machine: { memory: 256MiB }
perturb: { every: 1ms, hold: 3ms }
modules: [{ name: kh_races, params: { test: %s, rounds: %d } }]
timeout: { step: 60s }
expect: [{ no_console: %s }]
"""


def shown(kharness, scenarios, run_dir, seed, more):
    """Of each race, how often it showed and how often it ran."""
    command = [kharness, "run", scenarios, "--json", "--no-canary", "--history", "none", "--run-dir", run_dir,
               "--repeat", str(TURN), "--seed", str(seed), *more]
    results = json.loads(subprocess.run(command, capture_output=True).stdout)["results"]
    counts = {}
    for result in results:
        race = result["id"].split("#")[0]
        hits, runs = counts.get(race, (0, 0))
        if result["status"] in ("pass", "fail"):
            counts[race] = hits + (result["status"] == "fail"), runs + 1
        else:
            print(f"not counted: {result['id']}: {result['status']}: {result.get('cause')}", file=sys.stderr)
    return counts


def interval(hits, runs, z=1.96):
    p, z2 = hits / runs, z * z
    middle = (p + z2 / (2 * runs)) / (1 + z2 / runs)
    half = z / (1 + z2 / runs) * math.sqrt(p * (1 - p) / runs + z2 / (4 * runs * runs))
    return f"{hits} of {runs} ({max(0, middle - half):.0%} to {min(1, middle + half):.0%})"


def main():
    kharness = pathlib.Path(sys.argv[1]).resolve()
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 50
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1000
    modules = pathlib.Path(__file__).resolve().parents[2] / "guest-image/modules"
    totals = {}
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / "scenarios").mkdir()
        (directory / "modules").symlink_to(modules)
        for race, (test, note) in RACES.items():
            path = directory / "scenarios" / f"{race.replace(' ', '-')}.yaml"
            path.write_text(SCENARIO % (test, rounds, note))
        for turn in range(0, runs, TURN):
            for way, more in WAYS.items():
                counts = shown(kharness, directory / "scenarios", directory / "run", seed + turn, more)
                for race, (hits, ran) in counts.items():
                    before = totals.get((race, way), (0, 0))
                    totals[race, way] = before[0] + hits, before[1] + ran
            print(f"{turn + TURN} of {runs}, load {os.getloadavg()[0]:.1f}: {totals}", file=sys.stderr, flush=True)
    print("| race | " + " | ".join(WAYS) + " |\n| --- |" + " --- |" * len(WAYS))
    for race in RACES:
        cells = [interval(*totals[race.replace(" ", "-"), way]) for way in WAYS]
        print(f"| {race} | " + " | ".join(cells) + " |")


main()
