//! The project's scenarios pass.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use super::{program, run};
use crate::bench::Bench;

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
      mkdir -p -m 1777 /host/all/tmp
  - run:
      argv:
        - chroot
        - /host/all
        - sh
        - -c
        # The outer guest's console tells how far it is.
        - |
          cd PROJECT
          COMMAND run --backend kvm --kernel KERNEL --no-canary --timeout-scale 5 --jobs 1 --run-dir /tmp/run ARGS 2>&1 |
            tee /tmp/told | sed -un 's/^ *\([A-Z]*\) \[[^]]*\] \([^ :]*\).*/\1 \2/p' >/dev/kmsg
          grep -E '^ +[A-Z]+ [[]' /tmp/told
      env: { HOME: HOME_DIR, PATH: "/usr/sbin:/usr/bin:/sbin:/bin" }
"#;

/// A file system with what `kharness run` needs of this host: programs, compilers, kernels, scenarios.
fn image_of_host(bench: &Bench, home: &Path) -> PathBuf {
    let (image, root) = (bench.path("host.img"), Path::new(env!("CARGO_MANIFEST_DIR")));
    let own = [home.join(".cache/kharness"), program()];
    let parts = ["Cargo.toml", "docs", "guest-image", "scenarios"].map(|name| root.join(name));
    let system = ["/bin", "/sbin", "/lib", "/lib64", "/etc", "/usr"].map(PathBuf::from);
    let mut command = Command::new("mksquashfs");
    command.args(system.iter().chain(&own).chain(&parts)).arg(&image);
    command.args(["-no-strip", "-comp", "lz4", "-quiet", "-no-progress"]);
    command.args(["-wildcards", "-e", "usr/share/doc", "usr/local", "usr/lib/chromium"]);
    assert!(command.status().expect("mksquashfs of squashfs-tools").success());
    image
}

/// The status of each test, by its id, out of lines such as `PASS [ 1.2s] id: cause`.
fn statuses(told: &str) -> BTreeMap<String, String> {
    let of_line = |line: &str| {
        let (status, rest) = line.trim().split_once(" [")?;
        let id = rest.split_once("] ")?.1.split([' ', ':']).next()?;
        Some((id.to_owned(), status.to_owned()))
    };
    told.lines().filter_map(of_line).collect()
}

#[test]
#[ignore = "takes hours: ./dev nested scenarios"]
fn scenarios_pass_on_copies_and_booted_each_with_the_same_verdicts() {
    let bench = Bench::new();
    let home = std::env::var("HOME").unwrap();
    let image = image_of_host(&bench, Path::new(&home));
    let kernel = std::env::var("KHARNESS_NESTED_KERNELS").unwrap_or_else(|_| "debug".into());
    let chosen = std::env::var("KHARNESS_NESTED_SCENARIOS").unwrap_or_else(|_| "scenarios".into());
    let outer = WHOLE
        .replace("IMAGE", image.to_str().unwrap())
        .replace("PROJECT", env!("CARGO_MANIFEST_DIR"))
        .replace("COMMAND", program().to_str().unwrap())
        .replace("KERNEL", &kernel)
        .replace("HOME_DIR", &home);
    let told = |bench: &Bench, args: &str| {
        let start = Instant::now();
        let told = run(bench, &bench.scenario("outer", &outer.replace("ARGS", args)));
        println!("kharness run {args}, after {} s:\n{told}", start.elapsed().as_secs());
        statuses(&told)
    };
    // Both take long, and a processor each.
    let runs = thread::scope(|scope| {
        let booted = scope.spawn(|| told(&Bench::new(), &format!("--no-fork {chosen}")));
        [told(&bench, &chosen), booted.join().unwrap()]
    });
    let bad = ["FAIL", "CRASH", "TIMEOUT", "ERROR", "XPASS"];
    let failed: Vec<_> =
        runs[0].iter().filter(|(_, status)| bad.contains(&status.as_str())).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(runs[0].len() > 1 && runs[0] == runs[1], "forked and booted differ");
}
