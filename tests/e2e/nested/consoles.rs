//! Not a byte is lost on the way out of a guest.

use super::run;
use crate::bench::Bench;

/// In the guest of the guest: 1 MiB of lines that count up, on the control channel and on the console.
const CONSOLES: &str = r#"
kernel: debian
machine: { nested: true, cpus: 1, memory: 2GiB }
modules: [kvm-amd]
files: [kharness, { kernel: debian, to: /kernel }]
timeout: { boot: 5m, step: 5m, quiet: 5m, total: 1h }
retries: 1
steps:
  - shell: |
      mkdir /tmp/s && cat > /tmp/s/consoles.yaml <<-END
      machine: { cpus: 1, memory: 256MiB }
      timeout: { step: 5m }
      steps:
        - run: [seq, "1", "165668"]
        - shell: sleep 1; seq 1 165668 > /dev/hvc0; sleep 1
      END
  - run:
      argv: [sh, -c, "kharness run /tmp/s --no-canary --backend kvm --kernel /kernel/boot/vmlinuz-* --timeout-scale 20 --run-dir /tmp/run"]
      env: { HOME: /tmp }
    timeout: 20m
  - id: sums
    shell: |
      cd /tmp/run
      seq 1 165668 | md5sum
      tr -d '\r' < consoles/console.log | grep -x '[0-9][0-9]*' | md5sum
      grep -m1 '"stdout": "1' results.json | sed 's/.*"stdout": "//; s/",$//; s/\\\\n/\\n/g' | grep . | md5sum
"#;

#[test]
#[ignore = "takes some minutes: ./dev nested consoles"]
fn a_mebibyte_comes_through_the_control_channel_and_the_virtio_console() {
    let bench = Bench::new();
    let path = bench.scenario("outer", CONSOLES);
    let sums = run(&bench, &path);
    let sums: Vec<&str> = sums.lines().collect();
    assert_eq!(sums.len(), 3);
    assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
}
