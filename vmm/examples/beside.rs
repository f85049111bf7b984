//! Boots a kernel once, on our own machine or on QEMU's under the same KVM, and prints what that cost
//! until the agent's first byte, as one line of JSON. `tests/bench/nested-machines.py` runs it.
//!
//! ```text
//! beside kvm|microvm|q35 --kernel vmlinux --initramfs init.cpio --append "quiet" --cpus 1 --memory 256
//! ```
//!
//! All machines are measured in the same way, from outside, as root: time from before `exec`; KVM's counters in
//! debugfs; the first entry into the guest and the exits to the program from tracepoints; memory from
//! `/proc/PID/status`. What cannot be read is null. Besides, our machine tells the CPU time that it took until its guest ran.

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vmm::{Config, Event, Machine, kvm};

const TRACING: &str = "/sys/kernel/tracing";
const KVM_COUNTERS: &str = "/sys/kernel/debug/kvm";

/// Our machine in a process of its own, as QEMU is.
const OURS: &str = "kvm-process";

/// What our process says of the CPU time in milliseconds that it took until its guest ran.
const CPU: &str = "first run after ";

type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = Boot::parse(&words).and_then(|boot| match boot.machine.as_str() {
        OURS => ours(&boot),
        _ => measure(&boot).map(|line| println!("{line}")),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("beside: {error}");
            ExitCode::from(2)
        }
    }
}

/// What to boot, and on what.
struct Boot {
    machine: String,
    kernel: PathBuf,
    initramfs: PathBuf,
    append: String,
    cpus: u32,
    /// MiB.
    memory: u64,
}

impl Boot {
    fn parse(words: &[String]) -> Result<Self, Failure> {
        let (machine, options) = words.split_first().ok_or("on which machine?")?;
        let mut boot = Self {
            machine: machine.clone(),
            kernel: PathBuf::new(),
            initramfs: PathBuf::new(),
            append: String::new(),
            cpus: 1,
            memory: 256,
        };
        for pair in options.chunks(2) {
            let [name, value] = pair else { return Err("an option without a value".into()) };
            match name.as_str() {
                "--kernel" => boot.kernel = value.into(),
                "--initramfs" => boot.initramfs = value.into(),
                "--append" => boot.append.clone_from(value),
                "--cpus" => boot.cpus = value.parse()?,
                "--memory" => boot.memory = value.parse()?,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(boot)
    }

    /// The program that runs the machine; it writes the control channel to its standard output.
    fn command(&self) -> Result<Command, Failure> {
        let mut command = match self.machine.as_str() {
            "kvm" => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args([OURS, "--append", &self.append, "--kernel"]).arg(&self.kernel);
                command.arg("--initramfs").arg(&self.initramfs);
                command.args(["--cpus", &self.cpus.to_string()]);
                command.args(["--memory", &self.memory.to_string()]);
                command
            }
            // As QEMU's docs/system/i386/microvm.rst advises for a fast boot.
            "microvm" => {
                self.qemu("microvm,pit=off,pic=off,rtc=off,isa-serial=off,acpi=on", "device")
            }
            "q35" => self.qemu("q35,usb=off,smbus=off,vmport=off", "pci"),
            other => return Err(format!("no machine is called {other}").into()),
        };
        // An end of its input would be the end of QEMU's control channel.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    fn qemu(&self, machine: &str, bus: &str) -> Command {
        let mut command = Command::new("qemu-system-x86_64");
        let ram = format!("memory-backend-memfd,id=ram,size={}M,share=on", self.memory);
        command
            .args(["-machine", &format!("{machine},memory-backend=ram"), "-object", &ram])
            .args(["-accel", "kvm", "-cpu", "host", "-m", &self.memory.to_string()])
            .args(["-smp", &self.cpus.to_string(), "-nodefaults", "-no-user-config"])
            .args(["-display", "none", "-no-reboot", "-kernel"])
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(&self.initramfs)
            .args(["-append", &format!("console=hvc0 {}", self.append)])
            .args(["-device", &format!("virtio-serial-{bus},max_ports=2")])
            .args(["-chardev", "null,id=console", "-device", "virtconsole,chardev=console"])
            .args(["-chardev", "stdio,id=control,signal=off"])
            .args(["-device", "virtserialport,chardev=control,name=kharness.control"]);
        command
    }
}

/// Runs our machine until it is killed.
fn ours(boot: &Boot) -> Result<(), Failure> {
    let config = Config {
        model: vmm::Model::Pc,
        device_tree: None,
        kernel: boot.kernel.clone(),
        initramfs: vec![boot.initramfs.clone()],
        cmdline: boot.append.clone(),
        cpus: boot.cpus,
        memory: boot.memory << 20,
        disks: Vec::new(),
        nested: false,
        paused: false,
        dir: std::env::temp_dir(),
    };
    // What starting the program took; QEMU's loading is not in any such figure.
    let started = process_cpu_ms();
    let (machine, events) = kvm::boot(&config)?;
    let mut out = std::io::stdout();
    for event in events {
        if let Event::Control(bytes) = event {
            let metrics = machine.metrics();
            let first_run = metrics.iter().find(|(name, _)| name == "first_run_cpu_ms");
            eprintln!("{CPU}{}", started + first_run.map_or(f64::NAN, |(_, value)| *value));
            out.write_all(&bytes)?;
            out.flush()?;
        }
    }
    Ok(())
}

/// One boot, and what it cost.
fn measure(boot: &Boot) -> Result<Value, Failure> {
    let trace = Trace::start();
    let mut command = boot.command()?;
    let start = Instant::now();
    let start_us = monotonic_us();
    let mut child = command.spawn()?;
    let ready = await_first_byte(&mut child).map(|()| start.elapsed());
    let taken = Taken::of(&child);
    child.kill()?;
    let told = child.wait_with_output()?.stderr;
    let told = String::from_utf8_lossy(&told);
    let cpu = told.lines().find_map(|line| line.strip_prefix(CPU)?.parse::<f64>().ok());
    let ready = ready.map_err(|error| format!("{error}: {told}"))?;
    let first_entry = trace.first_entry_us().map(|at| at - start_us);
    Ok(json!({
        "machine": boot.machine,
        "ready_ms": millis(ready),
        "first_run_ms": first_entry.map(|us| us / 1000.0),
        "first_run_cpu_ms": cpu,
        "exits": taken.exits,
        "exits_to_program": trace.exits_to_program(),
        "private_kib": taken.private_kib,
        "ram_kib": taken.ram_kib,
    }))
}

fn await_first_byte(child: &mut Child) -> Result<(), Failure> {
    let out = child.stdout.as_mut().ok_or("no standard output")?;
    out.read_exact(&mut [0]).map_err(|_| "the machine ended before the agent said anything".into())
}

/// What a machine has taken so far.
struct Taken {
    exits: Option<u64>,
    private_kib: Option<u64>,
    ram_kib: Option<u64>,
}

impl Taken {
    fn of(child: &Child) -> Self {
        let pid = child.id();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        Self {
            exits: kvm_counter(pid, "exits"),
            private_kib: field(&status, "RssAnon:"),
            ram_kib: field(&status, "RssShmem:"),
        }
    }
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// A counter of all virtual machines of process `pid`.
fn kvm_counter(pid: u32, name: &str) -> Option<u64> {
    let prefix = format!("{pid}-");
    let machines = fs::read_dir(KVM_COUNTERS).ok()?.flatten();
    let own = machines.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    let counts = own
        .map(|entry| fs::read_to_string(entry.path().join(name)).ok()?.trim().parse::<u64>().ok());
    counts.sum()
}

/// KVM's tracepoints, as far as they can be had.
struct Trace;

impl Trace {
    /// Counts exits to programs from now on, and notes the first entry into a guest.
    fn start() -> Self {
        tell("tracing_on", "0");
        tell("trace_clock", "mono");
        tell("trace", "");
        // Of a buffer that is full, the oldest entries stay.
        tell("options/overwrite", "0");
        tell("buffer_size_kb", "16");
        tell("events/kvm/kvm_userspace_exit/trigger", "!hist:keys=common_pid");
        tell("events/kvm/kvm_userspace_exit/trigger", "hist:keys=common_pid");
        tell("events/kvm/kvm_entry/enable", "1");
        tell("tracing_on", "1");
        Self
    }

    fn first_entry_us(&self) -> Option<f64> {
        tell("tracing_on", "0");
        tell("events/kvm/kvm_entry/enable", "0");
        let text = fs::read_to_string(Path::new(TRACING).join("trace")).ok()?;
        let times = text.lines().filter_map(|line| {
            let before = line.split(": kvm_entry:").next().filter(|before| *before != line)?;
            before.split_ascii_whitespace().last()?.parse::<f64>().ok()
        });
        times.min_by(f64::total_cmp).map(|seconds| seconds * 1e6)
    }

    fn exits_to_program(&self) -> Option<u64> {
        let path = Path::new(TRACING).join("events/kvm/kvm_userspace_exit/hist");
        let text = fs::read_to_string(path).ok()?;
        field(text.split("Hits:").nth(1).map(|rest| format!("Hits:{rest}"))?.as_str(), "Hits:")
    }
}

/// Writes to a file of tracefs. Where there is none, the value is null in the end.
fn tell(file: &str, words: &str) {
    let _ = fs::write(Path::new(TRACING).join(file), words);
}

/// The clock of the trace, in microseconds.
fn monotonic_us() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Of hours, which lose nothing.
    Duration::try_from(now).map_or(f64::NAN, |now| now.as_secs_f64() * 1e6)
}

/// CPU time of this process.
fn process_cpu_ms() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(now).map_or(f64::NAN, millis)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
