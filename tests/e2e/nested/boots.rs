//! Boots in a row leave nothing.

use super::run;
use crate::bench::Bench;

/// In the guest of the guest: one scenario many times, booted each time by one process, at which is looked as it runs.
const BOOTS: &str = r#"
kernel: debian
machine: { nested: true, cpus: 1, memory: 2GiB }
modules: [kvm-amd]
files: [kharness, { kernel: KERNEL, to: /kernel }]
timeout: { boot: 5m, step: 2h, quiet: 1h, total: 3h }
retries: 1
steps:
  - shell: |
      mkdir /tmp/s && echo 'machine: { cpus: 1, memory: 128MiB }' > /tmp/s/boot.yaml
      echo 'steps: [{ run: [uname] }]' >> /tmp/s/boot.yaml
      cat > /look <<-'END'
      kharness run /tmp/s -q --no-fork --repeat TIMES --no-canary --backend kvm --kernel /kernel/boot/vmlinuz-* \
        --timeout-scale 20 --jobs 1 --run-dir /tmp/run >&2 &
      while sleep 1 && kill -0 $! 2>/dev/null; do
        echo look $(grep -c '"event":"result"' /tmp/run/results.jsonl) $(ls /proc/$!/fd | wc -l) \
          $(ls /proc/$!/task | wc -l) $(grep RssAnon /proc/$!/status | tr -dc 0-9)
      done
      wait $! && echo passed $(grep -c '"event":"result"' /tmp/run/results.jsonl)
      END
  - run:
      argv: [sh, /look]
      env: { HOME: /tmp }
"#;

#[test]
#[ignore = "takes half an hour: ./dev nested boots"]
fn boots_in_a_row_all_pass_and_leave_no_thread_no_descriptor_and_no_mebibyte() {
    let bench = Bench::new();
    let kernel = std::env::var("KHARNESS_NESTED_KERNELS").unwrap_or_else(|_| "fast".into());
    let times = std::env::var("KHARNESS_NESTED_BOOTS").unwrap_or_else(|_| "200".into());
    let outer = BOOTS.replace("KERNEL", &kernel).replace("TIMES", &times);
    let told = run(&bench, &bench.scenario("outer", &outer));
    assert_eq!(told.lines().last(), Some(format!("passed {times}").as_str()), "{told}");
    // How many boots are over, and what the process had just then.
    let looks = told.lines().filter_map(look).filter(|look| look[0] > 0);
    let times: u64 = times.parse().unwrap();
    let (early, late): (Vec<_>, Vec<_>) = looks.partition(|look| look[0] < times / 2);
    let most = |looks: &[[u64; 4]], what: usize| looks.iter().map(|look| look[what]).max().unwrap();
    for (name, what) in [("descriptors", 1), ("threads", 2)] {
        let (early, late) = (most(&early, what), most(&late, what));
        println!(
            "{name}: at most {early} in the first half of {times} boots, {late} in the second"
        );
        assert!(late <= early, "{name}: {told}");
    }
    // How much of it is a guest's differs from moment to moment; results of all tests stay, some kilobytes each.
    let least = |looks: &[[u64; 4]]| looks.iter().map(|look| look[3]).min().unwrap();
    let (early, late) = (least(&early), least(&late));
    println!("at least {early} KiB in the first half, {late} in the second");
    assert!(late <= early + 1024 + 16 * times, "{told}");
}

fn look(line: &str) -> Option<[u64; 4]> {
    let numbers = line.strip_prefix("look ")?.split(' ').map(|number| number.parse().ok());
    numbers.collect::<Option<Vec<_>>>()?.try_into().ok()
}
