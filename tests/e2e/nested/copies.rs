//! Copies of a booted guest are judged as boots are.

use serde_json::Value;

use super::run;
use crate::bench::{Bench, text};

/// In the guest of the guest: the same tests on copies of a booted guest, and each in one that it boots.
const COPIES: &str = r#"
kernel: debian
machine: { nested: true, cpus: 1, memory: 3GiB }
modules: [kvm-amd]
files:
  - kharness
  - { kernel: KERNEL, to: /kernel }
  - { from: ROOT/scenarios/smoke, to: /scenarios/smoke }
timeout: { boot: 5m, step: 5m, quiet: 5m, total: 1h }
retries: 1
steps:
  - shell: |
      cat > /scenarios/time.yaml <<-END
      steps:
        - { id: uptime, run: [cat, /proc/uptime] }
        # Where the stack of init is differs from boot to boot, and is held in memory only.
        - { id: nonce, shell: "cut -d' ' -f28 /proc/1/stat; ls /tmp; touch /tmp/mine" }
        - { id: again, run: [cat, /proc/uptime] }
        - { id: clock, run: [cat, /sys/devices/system/clocksource/clocksource0/current_clocksource] }
      expect: [{ no_reports: true }]
      END
      cat > /scenarios/crash.yaml <<-END
      steps: [{ sysrq: c }]
      expect: [{ report: panic }, { stopped: panic }]
      END
  - id: both
    run:
      argv:
        - sh
        - -c
        - |
          run() { kharness run /scenarios -q --no-canary --backend kvm --kernel /kernel/boot/vmlinuz-* --timeout-scale 20 --jobs 1 "$@" >&2; }
          run --repeat 4 --run-dir /tmp/forked; run --no-fork --run-dir /tmp/booted
          echo "["; cat /tmp/forked/results.json; echo ,; cat /tmp/booted/results.json; echo "]"
      env: { HOME: /tmp }
    timeout: 40m
"#;

/// The first number that step `id` of a result printed.
fn number(result: &Value, id: &str) -> f64 {
    printed(result, id).split_whitespace().next().unwrap().parse().unwrap()
}

fn printed<'a>(result: &'a Value, id: &str) -> &'a str {
    let steps = result["steps"].as_array().unwrap();
    text(steps.iter().find(|step| step["id"] == id).unwrap(), "stdout")
}

fn boots(results: &[Value]) -> Vec<u64> {
    let attempts = results.iter().flat_map(|result| result["attempts"].as_array().unwrap());
    attempts.map(|attempt| attempt["boot_ms"].as_u64().unwrap()).collect()
}

#[test]
#[ignore = "takes some minutes: ./dev nested copies"]
fn copies_on_our_own_machine_are_judged_as_boots_are_and_go_on_from_one() {
    let bench = Bench::new();
    let root = env!("CARGO_MANIFEST_DIR");
    let kernel = std::env::var("KHARNESS_NESTED_KERNELS").unwrap_or_else(|_| "debian".into());
    let outer = COPIES.replace("KERNEL", &kernel).replace("ROOT", root);
    let told = run(&bench, &bench.scenario("outer", &outer));
    let documents: [Value; 2] = serde_json::from_str(&told).unwrap();
    let [forked, booted] = documents.each_ref().map(|one| one["results"].as_array().unwrap());
    for result in forked {
        println!("{} {} {}", result["id"], result["status"], result["attempts"][0]["boot_ms"]);
        assert_eq!(result["attempts"][0]["forked"], true, "{result}");
    }
    for result in booted {
        println!("{} {} {}", result["id"], result["status"], result["attempts"][0]["boot_ms"]);
        let same = forked.iter().filter(|copy| copy["scenario"] == result["scenario"]);
        assert_eq!(same.clone().count(), 4);
        for copy in same {
            assert_eq!(copy["status"], result["status"], "{copy} {result}");
        }
    }
    let of_time = forked.iter().filter(|result| text(result, "id").contains("time"));
    let times: Vec<&Value> = of_time.collect();
    for copy in &times {
        // The same boot, nothing of a sibling, and time that goes on from where the template was.
        assert_eq!(printed(copy, "nonce"), printed(times[0], "nonce"));
        assert!(!printed(copy, "nonce").contains("mine"));
        assert!(number(copy, "again") >= number(copy, "uptime"));
        let apart = (number(copy, "uptime") - number(times[0], "uptime")).abs();
        assert!(apart < 5.0, "{apart} s apart");
        println!("uptime {} clock {}", number(copy, "uptime"), printed(copy, "clock").trim());
    }
    let other = booted.iter().find(|result| text(result, "id").contains("time")).unwrap();
    assert_ne!(printed(other, "nonce"), printed(times[0], "nonce"));
    println!("copies answer after {:?} ms, boots after {:?} ms", boots(forked), boots(booted));
}
