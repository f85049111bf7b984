//! A guest that says of itself what there is to say, and its memory right after.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::bench::{Bench, KHARNESS, text};

/// Everything that the guest says of itself, then a snapshot.
const SAYS: &str = r#"
steps:
  - id: sleeper
    spawn: [sleep, "1000"]
  - id: said
    shell: |
      mkdir -p /t && mount -t tmpfs t /t
      for p in /proc/[0-9]*; do
        echo "TASK $(cat $p/stat)"
        sed "s/^/STACK ${p#/proc/} /" $p/stack
      done
      sed 's/^/MODULE /' /proc/modules
      mount -t debugfs d /sys/kernel/debug 2>/dev/null || true
      echo "RELEASE $(uname -r)"
      echo "TAINTED $(cat /proc/sys/kernel/tainted)"
      [ -e /proc/lockdep ] && sed 's/^/LOCKDEP /' /proc/lockdep
      sleeper=$(pidof sleep)
      sed "s/^/MAPS /" /proc/$sleeper/maps
      echo "SLEEPER $sleeper"
      grep '^ #' /proc/timer_list | sed 's/^/TIMER /'
      grep -r . /proc/sys 2>/dev/null | sed 's/^/SYSCTL /'
      dmesg | sed 's/^/LOG /'
      grep -E '^Node|^ +managed' /proc/zoneinfo | sed 's/^/MANAGED /'
      sed 's/^/BUDDY /' /proc/buddyinfo
      sed 's/^/SLAB /' /proc/slabinfo
      grep -E '^cpu#|nr_switches' /sys/kernel/debug/sched/debug | sed 's/^/SWITCHES /' || true
  - snapshot: now
  - dump: now
expect:
  - cel: memory.zones.all(zone, zone.free.all(area, area.blocks == area.listed))
  - cel: memory.run_queues.size() > 0 && memory.run_queues.size() == memory.tasks.filter(t, t.pid == 0).size()
"#;

/// A kernel and a machine to ask.
pub struct Asked {
    /// What `-k` takes; Debian's stock kernel without it.
    pub kernel: Option<String>,
    /// Modules to load, as a scenario has them.
    pub modules: &'static str,
    /// The machine, as a scenario has it.
    pub machine: &'static str,
}

impl Asked {
    /// Debian's stock kernel with modules that have types of their own.
    pub fn stock() -> Self {
        let modules = "[{ name: loop }, { name: dummy }]";
        Self { kernel: None, modules, machine: "{ cpus: 2, memory: 512MiB }" }
    }

    /// Our kernel with lockdep, and a module of ours.
    pub fn debug() -> Self {
        let module = concat!(
            "[{ name: ",
            env!("CARGO_MANIFEST_DIR"),
            "/guest-image/modules/kh_leak, unload: false }]"
        );
        Self { kernel: Some("debug".into()), modules: module, ..Self::stock() }
    }
}

/// Boots the guest once and gives what it said, and its snapshot.
pub struct Told {
    bench: Bench,
    said: Vec<String>,
}

impl Told {
    pub fn new(asked: &Asked) -> Self {
        let Asked { kernel, modules, machine } = asked;
        let bench = Bench::with("says", &format!("machine: {machine}\nmodules: {modules}{SAYS}"));
        let kernel = kernel.iter().flat_map(|kernel| ["-k", kernel.as_str()]);
        let outcome = bench.run(["--keep", "--no-canary"].into_iter().chain(kernel));
        let result = outcome.result("says");
        assert_eq!(text(result, "status"), "pass", "{result}");
        let said = result["steps"].as_array().unwrap().iter().find(|step| step["id"] == "said");
        let said = text(said.unwrap(), "stdout").lines().map(str::to_owned).collect();
        Self { bench, said }
    }

    pub fn snapshot(&self) -> PathBuf {
        self.bench.run_dir().join("says/snapshots/now")
    }

    pub fn vmcore(&self) -> PathBuf {
        self.bench.run_dir().join("says/now.vmcore")
    }

    /// The snapshot as a compressed kdump file, written by the command.
    pub fn packed(&self) -> PathBuf {
        let path = self.bench.run_dir().join("packed.vmcore");
        let mut export = Command::new(KHARNESS);
        export.args(["snapshot", "export", "--format", "kdump", "-o"]).arg(&path);
        let output = export.arg(self.snapshot()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        path
    }

    /// The rest of every line that begins with `word`.
    pub fn lines(&self, word: &str) -> Vec<&str> {
        let prefix = format!("{word} ");
        self.said.iter().filter_map(|line| line.strip_prefix(prefix.as_str())).collect()
    }

    pub fn items(&self, view: &[&str]) -> Vec<Value> {
        items(&self.snapshot(), view)
    }
}

pub fn items(path: &Path, view: &[&str]) -> Vec<Value> {
    let output =
        Command::new(KHARNESS).arg("inspect").arg(path).args(view).arg("--json").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["broke_at"], serde_json::json!([]), "{view:?}");
    document["items"].as_array().unwrap().clone()
}
