//! Boots a kernel on our own KVM machine, with its console on standard output.
//!
//! ```text
//! boot --kernel vmlinux --initramfs init.cpio --append "quiet" --cpus 2 --memory 256
//! boot --kernel bzImage --initramfs init.cpio --control-in "hello" --control-out from-agent
//! boot --probe
//! ```
//!
//! What the agent sends on the control channel goes to the file `--control-out`.
//! At the end it prints why the machine stopped, how long it ran, how often the guest came out by kind, and the
//! time until the guest ran, which it tells also where the guest comes to nothing.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use vmm::{Config, Event, Machine, Stop, kvm};

/// How long a guest may run, unless `--patience SECONDS` says so.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    match run() {
        Ok(Stop::PowerOff) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("boot: {error}");
            ExitCode::from(2)
        }
    }
}

/// What to boot, and what to do with its control channel.
struct Request {
    config: Config,
    control_in: String,
    control_out: Box<dyn Write>,
    patience: Duration,
}

fn run() -> Result<Stop, Box<dyn Error>> {
    let Some(mut request) = parse(std::env::args().skip(1))? else {
        println!("{}", kvm::probe());
        return Ok(Stop::PowerOff);
    };
    let start = Instant::now();
    let (mut machine, events) = kvm::boot(&request.config)?;
    let made = start.elapsed();
    machine.send_control(request.control_in.as_bytes())?;
    let stop = follow(&mut machine, &events, &mut request.control_out, start + request.patience)?;
    println!("\nboot: stopped by {stop:?} after {:?}; machine made in {made:?}", start.elapsed());
    for (name, value) in machine.metrics() {
        println!("boot: {name} {value}");
    }
    Ok(stop)
}

/// The machine that the arguments describe; none if only the probe is asked for.
fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Request>, Box<dyn Error>> {
    let mut patience = PATIENCE;
    let mut control_in = String::new();
    let mut control_out: Box<dyn Write> = Box::new(std::io::sink());
    let mut config = Config {
        model: vmm::Model::Pc,
        device_tree: None,
        kernel: PathBuf::new(),
        initramfs: Vec::new(),
        cmdline: String::new(),
        cpus: 1,
        memory: 256 << 20,
        disks: Vec::new(),
        nested: false,
        paused: false,
        dir: std::env::temp_dir(),
    };
    while let Some(name) = args.next() {
        if name == "--probe" {
            return Ok(None);
        }
        let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--kernel" => config.kernel = value.into(),
            "--initramfs" => config.initramfs.push(value.into()),
            "--append" => config.cmdline = value,
            "--cpus" => config.cpus = value.parse()?,
            "--memory" => config.memory = value.parse::<u64>()? << 20,
            "--patience" => patience = Duration::from_secs(value.parse()?),
            "--control-in" => control_in = value + "\n",
            "--control-out" => control_out = Box::new(File::create(value)?),
            _ => return Err(format!("unknown argument {name}").into()),
        }
    }
    Ok(Some(Request { config, control_in, control_out, patience }))
}

/// Prints what the guest says, until it stops or `deadline` has passed.
fn follow(
    machine: &mut kvm::KvmMachine,
    events: &Receiver<Event>,
    control: &mut dyn Write,
    deadline: Instant,
) -> Result<Stop, Box<dyn Error>> {
    let mut out = std::io::stdout();
    loop {
        let patience = deadline.saturating_duration_since(Instant::now());
        match events.recv_timeout(patience) {
            Ok(Event::Console(bytes)) => out.write_all(&bytes)?,
            Ok(Event::Control(bytes)) => control.write_all(&bytes)?,
            Ok(Event::Stopped(stop)) => return Ok(stop),
            Ok(event) => println!("\nboot: {event:?}"),
            Err(_) => machine.stop(),
        }
        out.flush()?;
    }
}
