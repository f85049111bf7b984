//! Every kernel boots, with any number of processors, from any image.

use serde_json::Value;

use super::run;
use crate::bench::Bench;

/// The outer guest of the long test, in which `KERNEL` boots in every cell.
const OUTER: &str = r#"
kernel: debian
machine: { nested: true, cpus: 1, memory: 3GiB }
modules: [kvm-amd]
files: [kharness, { kernel: KERNEL, to: /kernel }]
timeout: { boot: 5m, step: 5m, quiet: 5m, total: 2h }
retries: 1
steps:
  - shell: |
      mkdir /tmp/cells && cd /tmp/cells
      for cpus in 1 2 4; do for unpack in true false; do
        image=$([ $unpack = true ] && echo vmlinux || echo bzImage)
        { echo "machine: { cpus: $cpus, memory: 320MiB, unpack: $unpack }"
          echo "steps: [{ id: online, run: [nproc], expect: [stdout: ^$cpus$] }]"
        } > $image-$cpus.yaml
      done; done
  - id: cells
    run:
      argv: [sh, -c, "exec kharness run /tmp/cells --json --no-canary --backend kvm --kernel /kernel/boot/vmlinuz-* --timeout-scale 20 --jobs 1 --run-dir /tmp/run"]
      env: { HOME: /tmp }
    timeout: 30m
"#;

#[test]
#[ignore = "takes an hour: ./dev nested kernels"]
fn every_kernel_boots_with_any_number_of_processors_from_any_image() {
    let kernels = std::env::var("KHARNESS_NESTED_KERNELS");
    let kernels = kernels.unwrap_or_else(|_| "debian fast debug".into());
    for kernel in kernels.split_whitespace() {
        let bench = Bench::new();
        let path = bench.scenario("outer", &OUTER.replace("KERNEL", kernel));
        let document: Value = serde_json::from_str(&run(&bench, &path)).unwrap();
        assert_eq!(document["run"]["backend"], "kvm");
        let cells = document["results"].as_array().unwrap();
        assert_eq!(cells.len(), 6);
        for cell in cells {
            let (release, boot) =
                (&document["kernels"][0]["release"], &cell["attempts"][0]["boot_ms"]);
            println!("{release} {} {} boot {boot} ms", cell["id"], cell["status"]);
            assert_eq!(cell["status"], "pass", "{cell}");
        }
    }
}
