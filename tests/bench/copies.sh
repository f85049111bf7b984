#!/bin/sh
# What copies of a guest on our own machine cost, and putting them back: under the KVM of this host, then under one that
# has nested paging, in a guest that is emulated with its AMD processor.
#
#   tests/bench/copies.sh KHARNESS
set -eu
cd "$(dirname "$0")/../.."
program=$(cargo bench --locked -p vmm --bench copies --no-run --message-format json |
    sed -n 's/.*"executable":"\([^"]*copies-[^"]*\)".*/\1/p')
"$program"
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cat >"$directory/copies.yaml" <<END
kernel: debian
machine: { nested: true, cpus: 1, memory: 4GiB }
modules: [kvm-amd]
# It needs no libraries but those of kharness.
files: [kharness, { from: $program, to: /usr/bin/copies }]
timeout: { boot: 5m, step: 10m }
steps:
  - shell: copies
    expect: [exit: 0]
END
echo && echo "under nested paging"
"$1" run "$directory/copies.yaml" --json --run-dir "$directory/run" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["results"][0]["steps"][-1].get("stdout"))'
