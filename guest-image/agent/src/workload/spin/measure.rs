//! Runs spinners together over one window of time and prints what each got of it.

use std::sync::{Arc, Barrier, mpsc};
use std::thread::sleep;
use std::time::{Duration, Instant};

use agent_protocol::{Policy, Sched};
use serde_json::json;

use crate::sched;
use crate::workload::options::Options;
use crate::workload::run::Stopped;
use crate::workload::spin::spinner::{self, Waiting};
use crate::workload::spin::task;
use crate::workload::units;

/// What the command line states.
pub const USAGE: &str = "--for TIME [--cpu N]... [--task POLICY]...
  spins one thread for each task, all started together, for TIME; then prints for each the CPU
  time it got, its share of one CPU, its rounds and the CPUs it ran on
  POLICY: other[:NICE] batch[:NICE] idle fifo:PRIORITY rr:PRIORITY deadline:RUNTIME/PERIOD
  --cpu: CPUs that the tasks may use; not for deadline tasks, which the kernel does not pin";

/// Runs the workload.
pub fn run(options: &mut Options) -> Result<(), Stopped> {
    let window = options.value("--for", units::duration)?;
    let cpus = options.values("--cpu", units::count)?;
    let mut tasks = options.values("--task", task::parse)?;
    options.end()?;
    let window = window.ok_or_else(|| Stopped::Usage("--for is missing".into()))?;
    if tasks.is_empty() {
        tasks.extend(task::parse("other"));
    }
    for task in &mut tasks {
        let pinned = !cpus.is_empty() && task.policy != Some(Policy::Deadline);
        task.cpus = pinned.then(|| cpus.clone());
    }
    measure(&tasks, window)
}

/// CPU time and rounds of every spinner, read at one moment.
struct Reading {
    at: Instant,
    each: Vec<(Duration, u64)>,
}

fn measure(tasks: &[Sched], window: Duration) -> Result<(), Stopped> {
    // Whoever reads the clocks must run when it is time to, whatever the spinners are.
    if let Err(error) = sched::rise() {
        eprintln!("kh-spin: measuring without priority over the tasks: {error}");
    }
    let barrier = Arc::new(Barrier::new(tasks.len() + 1));
    let spinners = start(tasks, &barrier)?;
    barrier.wait();
    let begin = read(&spinners)?;
    sleep(window);
    let end = read(&spinners)?;
    for waiting in &spinners {
        waiting.spinner.stop();
    }
    for (number, task) in tasks.iter().enumerate() {
        report(number, task, &begin, &end, &spinners[number]);
    }
    Ok(())
}

fn start(tasks: &[Sched], barrier: &Arc<Barrier>) -> Result<Vec<Waiting>, Stopped> {
    let mut spinners = Vec::new();
    for (number, task) in tasks.iter().enumerate() {
        let refused = |why: String| Stopped::Refused(format!("task {number}: {why}"));
        let (ready, is_ready) = mpsc::channel();
        let started = spinner::start(task.clone(), Arc::clone(barrier), ready);
        started.map_err(|failure| refused(failure.message))?;
        let waiting = is_ready.recv().map_err(|error| refused(error.to_string()))?;
        spinners.push(waiting.map_err(|failure| refused(failure.message))?);
    }
    Ok(spinners)
}

fn read(spinners: &[Waiting]) -> Result<Reading, Stopped> {
    let at = Instant::now();
    let each = spinners.iter().map(|waiting| {
        let time = waiting.cpu_time();
        let time = time.map_err(|error| Stopped::Refused(format!("no CPU clock: {error}")))?;
        Ok((time, waiting.spinner.rounds()))
    });
    Ok(Reading { at, each: each.collect::<Result<_, Stopped>>()? })
}

fn report(number: usize, task: &Sched, begin: &Reading, end: &Reading, waiting: &Waiting) {
    let (cpu_before, rounds_before) = begin.each[number];
    let (cpu_after, rounds_after) = end.each[number];
    let cpu = cpu_after.saturating_sub(cpu_before).as_secs_f64();
    let wall = end.at.duration_since(begin.at).as_secs_f64();
    let line = json!({
        "task": number,
        "policy": task.policy.map(task::name),
        "priority": task.priority,
        "nice": task.nice,
        "cpus": waiting.spinner.cpus(),
        "cpu_ms": cpu * 1e3,
        "wall_ms": wall * 1e3,
        "share": cpu / wall,
        "rounds": rounds_after - rounds_before,
    });
    println!("{line}");
}
