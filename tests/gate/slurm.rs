//! Slurm, for real: all its daemons on the loopback interface, started and stopped here.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;

use crate::documents::{Outcome, Place, read};

/// Programs of the Debian packages `slurm-wlm` and `munge`.
const PROGRAMS: [&str; 5] = ["munged", "slurmctld", "slurmd", "sbatch", "squeue"];

/// A cluster of two nodes on this machine.
struct Cluster {
    dir: PathBuf,
}

impl Cluster {
    /// Starts it; `None`, loudly, where that cannot be.
    fn start(place: &Place) -> Option<Self> {
        let there = |name: &&&str| {
            Command::new("sh")
                .args(["-c", &format!("command -v {name}")])
                .stdout(Stdio::null())
                .status()
                .is_ok_and(|s| s.success())
        };
        let missing: Vec<_> = PROGRAMS.iter().filter(|name| !there(name)).collect();
        if !missing.is_empty() || !geteuid().is_root() {
            eprintln!(
                "NOT TESTED: Slurm needs root and {missing:?}: apt-get install slurm-wlm munge"
            );
            return None;
        }
        let dir = place.path("slurm");
        for name in ["munge", "state", "n1", "n2"] {
            fs::create_dir_all(dir.join(name)).unwrap();
        }
        fs::set_permissions(dir.join("munge"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(dir.join("munge/key"), [0x5a; 128]).unwrap();
        fs::set_permissions(dir.join("munge/key"), fs::Permissions::from_mode(0o400)).unwrap();
        fs::write(dir.join("slurm.conf"), configuration(&dir)).unwrap();
        let cluster = Self { dir };
        cluster.daemons();
        Some(cluster)
    }

    fn daemons(&self) {
        let file = |name: &str| self.dir.join("munge").join(name);
        let mut munged = Command::new("munged");
        munged.arg("--force");
        for (option, name) in [
            ("key-file", "key"),
            ("socket", "sock"),
            ("pid-file", "pid"),
            ("log-file", "log"),
            ("seed-file", "seed"),
        ] {
            munged.arg(format!("--{option}={}", file(name).display()));
        }
        assert!(munged.status().unwrap().success(), "munged does not start");
        for words in [&["slurmctld", "-c"][..], &["slurmd", "-N", "n1"], &["slurmd", "-N", "n2"]] {
            assert!(self.command(words).status().unwrap().success(), "{words:?} does not start");
        }
        let idle = || self.said(&["sinfo", "-h", "-N", "-o", "%t"]).matches("idle").count() == 2;
        wait(Duration::from_secs(60), "two idle nodes", idle);
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env("SLURM_CONF", self.dir.join("slurm.conf"));
        command
    }

    fn said(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The node is gone, with everything that runs on it.
    fn lose(&self, node: &str) {
        let daemon = pid_in(&self.dir.join(format!("{node}.pid"))).unwrap();
        let mut doomed = vec![daemon];
        doomed.extend(steps_of(node));
        for pid in doomed {
            kill_tree(pid);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for pid in ["n1", "n2"].into_iter().flat_map(steps_of) {
            kill_tree(pid);
        }
        for name in ["n1.pid", "n2.pid", "slurmctld.pid", "munge/pid"] {
            if let Some(pid) = pid_in(&self.dir.join(name)) {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        // Their files go with the directory.
        sleep(Duration::from_secs(1));
    }
}

fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "ClusterName=test\nSlurmctldHost=localhost\nSlurmUser=root\nSlurmdUser=root\n\
         AuthType=auth/munge\nAuthInfo=socket={dir}/munge/sock\nStateSaveLocation={dir}/state\n\
         SlurmdSpoolDir={dir}/%n\nSlurmctldPidFile={dir}/slurmctld.pid\nSlurmdPidFile={dir}/%n.pid\n\
         SlurmctldLogFile={dir}/slurmctld.log\nSlurmdLogFile={dir}/%n.log\nSlurmctldPort=26817\n\
         ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSelectType=select/cons_tres\n\
         SelectTypeParameters=CR_CPU\nSchedulerParameters=sched_interval=2\nSlurmdTimeout=6\n\
         KillWait=1\nReturnToService=2\nJobRequeue=1\nSwitchType=switch/none\nMpiDefault=none\n\
         AccountingStorageType=accounting_storage/none\nJobAcctGatherType=jobacct_gather/none\n\
         NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port=27001 CPUs=1 State=UNKNOWN\n\
         NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port=27002 CPUs=1 State=UNKNOWN\n\
         PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
    )
}

fn pid_in(path: &Path) -> Option<Pid> {
    Pid::from_raw(fs::read_to_string(path).ok()?.trim().parse().ok()?)
}

/// Processes by what their command line begins with.
fn processes(wanted: impl Fn(&str, &str) -> bool) -> Vec<Pid> {
    let listing = fs::read_dir("/proc").unwrap().flatten();
    let pids = listing.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let text = |pid: i32, name: &str| {
        let bytes = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', "\n")
    };
    let found = pids.filter(|pid| wanted(&text(*pid, "cmdline"), &text(*pid, "environ")));
    found.filter_map(Pid::from_raw).collect()
}

/// What Slurm runs on a node. The job's processes have the node's name in their environment.
fn steps_of(node: &str) -> Vec<Pid> {
    let name = format!("SLURMD_NODENAME={node}\n");
    processes(|_, environment| {
        environment.contains(&name) && environment.contains("/slurm/slurm.conf")
    })
}

/// Its step daemon is the parent of a job's script.
fn kill_tree(pid: Pid) {
    let stat =
        fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
    let is_step = |parent: &i32| {
        fs::read_to_string(format!("/proc/{parent}/comm"))
            .is_ok_and(|comm| comm.starts_with("slurmstepd"))
    };
    for pid in parent.filter(is_step).and_then(Pid::from_raw).into_iter().chain([pid]) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn wait(most: Duration, what: &str, ready: impl Fn() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < most, "waited {most:?} for {what}");
        sleep(Duration::from_millis(200));
    }
}

/// Results without what differs from run to run.
fn essence(document: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let results = document["results"].as_array().unwrap().iter();
    let mut all: Vec<_> = results.map(|r| (text(&r["id"]), text(&r["status"]))).collect();
    all.sort();
    all
}

#[test]
fn eight_parts_on_slurm_make_the_run_of_one_machine_and_a_lost_node_changes_nothing() {
    let place = Place::new();
    let Some(cluster) = Cluster::start(&place) else { return };
    for n in 0..12 {
        let path = place.path(&format!("scenarios/t/{n:02}.yaml"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let (what, needs) = match n % 3 {
            0 => ("sleep 2", ""),
            1 => ("exit 3", "requires: { cpus: 99 }\n"),
            _ => ("true", "requires: { kernel: '>=99' }\n"),
        };
        let machine = "machine: { cpus: 1, memory: 256MiB }\n";
        fs::write(path, format!("{machine}{needs}steps:\n  - shell: {what}\n")).unwrap();
    }
    let mut alone = place.command();
    alone.args(["run", "scenarios", "--run-dir", "alone", "--history", "none"]);
    Outcome::of(&mut alone);
    let alone = essence(&read(&place.path("alone/results.json")));
    assert_eq!(alone.len(), 12);

    let merged = submit(&place, &cluster, "whole", || {});
    assert_eq!(essence(&merged), alone);
    let merged = submit(&place, &cluster, "lossy", || {
        let began = || !steps_of("n1").is_empty();
        wait(Duration::from_secs(60), "a job on n1", began);
        cluster.lose("n1");
    });
    assert_eq!(essence(&merged), alone);
    let again = fs::read_dir(place.path("lossy/parts")).unwrap().flatten();
    let again = again.filter(|entry| !entry.file_name().to_string_lossy().ends_with(".0")).count();
    assert!(again > 0, "no part was run again");
    assert_eq!(merged["run"]["interrupted"], false);
}

/// Submits eight parts, lets `disturb` happen, and gives what is merged.
fn submit(place: &Place, cluster: &Cluster, dir: &str, disturb: impl Fn()) -> Value {
    let mut command = place.command();
    command.env("SLURM_CONF", cluster.dir.join("slurm.conf"));
    command.args(["submit", "slurm", "scenarios", "--parts", "8", "--dir", dir]);
    Outcome::of(command.args(["--", "--history", "none"])).assert(0, &["submitted array"]);
    disturb();
    let results = place.path(dir).join("results.json");
    wait(Duration::from_secs(400), "the merged results", || results.is_file());
    read(&results)
}
