//! Our own KVM machine under a real KVM: a guest of QEMU's that has one runs scenarios in it.
//!
//! `./dev nested [KERNEL]...` runs the long test: every kernel, number of processors and kind of image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::bench::{Bench, KHARNESS, Outcome, text};

/// How often the outer guest may die.
const TRIES: usize = 4;

/// Runs the scenario `path` on the kernel that it names, and gives what its last step printed. An outer guest that dies
/// says nothing of what runs in it: no program can be at fault for that, and the emulator's SVM now and then is. It is
/// tried again.
fn run(bench: &Bench, path: &Path) -> String {
    for number in 1.. {
        let mut command = Command::new(KHARNESS);
        command.arg("run").arg(path).args(["--json", "--run-dir"]);
        let outcome =
            Outcome::of(bench.in_place(command.arg(bench.path(&format!("run-{number}")))));
        let result = &outcome.document["results"][0];
        if text(result, "status") == "crash" && number < TRIES {
            eprintln!("the outer guest died: {}", text(result, "cause"));
            continue;
        }
        outcome.assert_code(0);
        // A second try of the outer guest makes it flaky, which says nothing about what runs in it either.
        assert!(["pass", "flaky"].contains(&text(result, "status")), "{}", outcome.stderr);
        return text(result["steps"].as_array().unwrap().last().unwrap(), "stdout").to_owned();
    }
    unreachable!("the last try is judged")
}

#[test]
fn stock_kernels_boot_and_end_as_they_should_under_a_real_kvm() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let told = run(&Bench::new(), &root.join("scenarios/kvm/nested.yaml"));
    assert!(told.contains("Backend kvm"), "{told}");
}

/// The outer guest of the long test, in which `KERNEL` boots in every cell.
const OUTER: &str = r#"
kernel: debian
machine: { nested: true, cpus: 2, memory: 3GiB }
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
#[ignore = "takes an hour: ./dev nested"]
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

/// In the guest of the guest: 1 MiB of lines that count up, on the control channel and on the console.
const CONSOLES: &str = r#"
kernel: debian
machine: { nested: true, cpus: 2, memory: 2GiB }
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
#[ignore = "takes some minutes: ./dev nested"]
fn a_mebibyte_comes_through_the_control_channel_and_the_virtio_console() {
    let bench = Bench::new();
    let path = bench.scenario("outer", CONSOLES);
    let sums = run(&bench, &path);
    let sums: Vec<&str> = sums.lines().collect();
    assert_eq!(sums.len(), 3);
    assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
}

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
#[ignore = "takes half an hour: ./dev nested"]
fn boots_in_a_row_all_pass_and_leave_no_thread_no_descriptor_and_no_mebibyte() {
    let bench = Bench::new();
    let kernel = std::env::var("KHARNESS_NESTED_KERNELS").unwrap_or_else(|_| "fast".into());
    let times = std::env::var("KHARNESS_NESTED_BOOTS").unwrap_or_else(|_| "200".into());
    let outer = BOOTS.replace("KERNEL", &kernel).replace("TIMES", &times);
    let told = run(&bench, &bench.scenario("outer", &outer));
    assert_eq!(told.lines().last(), Some(format!("passed {times}").as_str()), "{told}");
    // How many boots are over, and what the process had just then.
    let looks: Vec<[u64; 4]> = told.lines().filter_map(look).collect();
    let between =
        |from: u64, to: u64| looks.iter().filter(move |look| (from..to).contains(&look[0]));
    let most = |from, to, what: usize| between(from, to).map(|look| look[what]).max().unwrap();
    let times: u64 = times.parse().unwrap();
    for (name, what, spare) in [("descriptors", 1, 0), ("threads", 2, 0), ("KiB", 3, 1024)] {
        let (early, late) = (most(1, times / 2, what), most(times / 2, times, what));
        println!(
            "{name}: at most {early} in the first half of {times} boots, {late} in the second"
        );
        assert!(late <= early + spare, "{name}: {told}");
    }
}

fn look(line: &str) -> Option<[u64; 4]> {
    let numbers = line.strip_prefix("look ")?.split(' ').map(|number| number.parse().ok());
    numbers.collect::<Option<Vec<_>>>()?.try_into().ok()
}

/// In the guest of the guest: the same tests on copies of a booted guest, and each in one that it boots.
const COPIES: &str = r#"
kernel: debian
machine: { nested: true, cpus: 2, memory: 3GiB }
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
#[ignore = "takes some minutes: ./dev nested"]
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

/// In the guest of the guest: scenarios of the project with all that they need of this host, which comes on a disk. `ARGS`
/// are those of `kharness run`.
const WHOLE: &str = r#"
kernel: debian
machine: { nested: true, cpus: 1, memory: 6GiB, disks: [{ from: IMAGE, readonly: true }] }
modules: [kvm-amd, squashfs, overlay]
timeout: { boot: 5m, step: 9h, quiet: 1h, total: 10h }
steps:
  - shell: |
      mkdir -p /host/read /host/own /host/all
      mount -t squashfs /dev/vda /host/read
      mount -t tmpfs -o size=80% tmpfs /host/own
      mkdir /host/own/upper /host/own/work
      mount -t overlay -o lowerdir=/host/read,upperdir=/host/own/upper,workdir=/host/own/work overlay /host/all
      for place in dev proc sys; do mkdir /host/all/$place && mount --bind /$place /host/all/$place; done
      mkdir -m 1777 /host/all/tmp
  - run:
      argv: [chroot, /host/all, sh, -c, "cd PROJECT && COMMAND run --backend kvm --kernel debug --no-canary --timeout-scale 10 --jobs 1 --run-dir /tmp/run ARGS >/tmp/told 2>&1; grep -E '^ +[A-Z]+ [[]' /tmp/told"]
      env: { HOME: HOME_DIR, PATH: "/usr/sbin:/usr/bin:/sbin:/bin" }
"#;

/// A file system with what `kharness run` needs of this host: programs, compilers, kernels, scenarios.
fn image_of_host(bench: &Bench, home: &Path) -> PathBuf {
    let (image, root) = (bench.path("host.img"), Path::new(env!("CARGO_MANIFEST_DIR")));
    let own = [home.join(".cache/kharness"), KHARNESS.into()];
    let parts = ["Cargo.toml", "docs", "guest-image", "scenarios"].map(|name| root.join(name));
    let system = ["/bin", "/sbin", "/lib", "/lib64", "/etc", "/usr"].map(PathBuf::from);
    let mut command = Command::new("mksquashfs");
    command.args(system.iter().chain(&own).chain(&parts)).arg(&image);
    command.args(["-no-strip", "-comp", "lz4", "-quiet", "-no-progress"]);
    command.args(["-wildcards", "-e", "usr/share/doc", "usr/local", "usr/lib/chromium"]);
    assert!(command.status().expect("mksquashfs of squashfs-tools").success());
    image
}

/// The status of each test, by its id.
fn statuses(told: &str) -> BTreeMap<String, String> {
    let words = told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.map(|words| ((*words.last().unwrap()).to_owned(), words[0].to_owned())).collect()
}

#[test]
#[ignore = "takes hours: ./dev nested"]
fn scenarios_pass_on_copies_and_booted_each_with_the_same_verdicts() {
    let bench = Bench::new();
    let home = std::env::var("HOME").unwrap();
    let image = image_of_host(&bench, Path::new(&home));
    let chosen = std::env::var("KHARNESS_NESTED_SCENARIOS").unwrap_or_else(|_| "scenarios".into());
    let runs = [chosen.clone(), format!("--no-fork {chosen}")].map(|args| {
        let outer = WHOLE
            .replace("IMAGE", image.to_str().unwrap())
            .replace("PROJECT", env!("CARGO_MANIFEST_DIR"))
            .replace("COMMAND", KHARNESS)
            .replace("HOME_DIR", &home)
            .replace("ARGS", &args);
        let start = Instant::now();
        let told = run(&bench, &bench.scenario("outer", &outer));
        println!("kharness run {args}, after {} s:\n{told}", start.elapsed().as_secs());
        statuses(&told)
    });
    let bad = ["FAIL", "CRASH", "TIMEOUT", "ERROR", "XPASS"];
    let failed: Vec<_> =
        runs[0].iter().filter(|(_, status)| bad.contains(&status.as_str())).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(runs[0].len() > 1 && runs[0] == runs[1], "forked and booted differ");
}
