//! `kharness replay`: does a recorded test again, to the instruction.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use vmm::{Config, Machine, Model};

use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::{emulator_banner, emulator_of_pcs};
use crate::recording::{End, Manifest, Place, RecordingError, Watch, find, follow};
use crate::run::{gdb_command, listen_for_interrupts};

/// A replay is some three times as slow as what it replays; on a loaded host more.
const SLOWNESS: u32 = 30;
const AT_LEAST: Duration = Duration::from_secs(120);

/// Arguments of `kharness replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A recording: the directory of a recorded test, or of a run with one (`kharness run --record`)
    #[arg(value_name = "DIR")]
    recording: PathBuf,
    /// Stop before the first instruction, for gdb
    #[arg(long)]
    gdb: bool,
    /// Unix socket to serve gdb on [default: `gdb` in a directory that is gone afterwards]
    #[arg(long, value_name = "PATH", requires = "gdb")]
    socket: Option<PathBuf>,
}

/// Does it, and compares the console.
///
/// # Errors
/// When the recording is damaged, or is another QEMU's; when the machine cannot be started.
pub fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let dir = find(&args.recording).map_err(refused)?;
    let manifest = Manifest::read(&dir).map_err(refused)?;
    let program = emulator_of_pcs().map_err(harness)?;
    let found = emulator_banner(&program);
    if found != manifest.qemu {
        let recorded = manifest.qemu;
        return Err(refused(RecordingError::OtherQemu { recorded, found }));
    }
    listen_for_interrupts()?;
    let scratch = tempfile::tempdir().map_err(harness)?;
    let place = Place::of(dir);
    let console = place.console().map_err(refused)?;
    let config = config(&manifest, &place, scratch.path());
    let start = Instant::now();
    let (mut machine, events) =
        vmm::qemu::replay(&program, &config, &place.recording()).map_err(harness)?;
    if args.gdb {
        serve_gdb(args, &manifest, &mut machine, scratch.path())?;
    } else {
        machine.resume().map_err(harness)?;
    }
    let recorded = Duration::from_millis(manifest.duration_ms);
    // A person at a debugger takes as long as it takes.
    let limit = (!args.gdb).then(|| (recorded * SLOWNESS).max(AT_LEAST));
    let end = follow(Watch::new(&console, limit), &events);
    drop(machine);
    let told = Told { manifest: &manifest, console: console.len(), took: start.elapsed() };
    told.of(&end, global)
}

/// The machine that was recorded.
fn config(manifest: &Manifest, place: &Place, dir: &Path) -> Config {
    let bare = Config {
        model: Model::Pc,
        device_tree: None,
        kernel: PathBuf::new(),
        initramfs: Vec::new(),
        cmdline: manifest.cmdline.clone(),
        cpus: 1,
        memory: manifest.memory,
        disks: Vec::new(),
        nested: false,
        paused: true,
        dir: dir.to_owned(),
    };
    place.config(&bare)
}

fn serve_gdb(
    args: &Args,
    manifest: &Manifest,
    machine: &mut dyn Machine,
    scratch: &Path,
) -> Result<(), Failure> {
    let socket = args.socket.clone().unwrap_or_else(|| scratch.join("gdb"));
    machine.serve_gdb(&socket).map_err(harness)?;
    anstream::eprintln!(
        "The guest has stopped before its first instruction. In another terminal:\n\n    {}\n\n\
         `continue` does again what was recorded; breakpoints stop it wherever you like.",
        gdb_command(&socket, &manifest.symbols)
    );
    Ok(())
}

/// What there is to tell of a replay.
struct Told<'a> {
    manifest: &'a Manifest,
    /// Bytes of the console.
    console: usize,
    took: Duration,
}

impl Told<'_> {
    fn of(&self, end: &End, global: &Global) -> Result<Exit, Failure> {
        let Manifest { test, duration_ms, .. } = self.manifest;
        let all = self.console;
        match end {
            End::Same if global.quiet => Ok(Exit::Good),
            End::Same => {
                let recorded = Duration::from_millis(*duration_ms).as_secs_f64();
                let took = self.took.as_secs_f64();
                writeln!(
                    io::stdout(),
                    "{test}: the same again, {all} bytes of console, in {took:.1} s (recorded in {recorded:.1} s)"
                )?;
                Ok(Exit::Good)
            }
            End::Diverged(difference) => {
                Err(failed(format!("{test}: the replay is not what was recorded, {difference}")))
            }
            End::Short { printed, why } => Err(failed(format!(
                "{test}: the replay ended after {printed} of {all} bytes of console: {why}"
            ))),
            End::Overdue => Err(failed(format!(
                "{test}: the replay does not come to its end: given up after {:.0} s",
                self.took.as_secs_f64()
            ))),
            End::Interrupted => Ok(Exit::Interrupted),
        }
    }
}

fn refused(error: RecordingError) -> Failure {
    Failure::new(Exit::Usage, error)
}

fn failed(words: String) -> Failure {
    Failure::new(Exit::Failed, words)
}

fn harness(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Harness, error)
}
