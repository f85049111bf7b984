//! `kharness submit`: a run in parts, on a cluster.

use std::io::Write;
use std::path::PathBuf;

use crate::error::Failure;
use crate::exit::Exit;
use crate::plan::Kernels;
use crate::scenario::model::Arch;
use crate::submit::{Cluster, Plan, Wanted, manifests, submit};

/// Arguments of `kharness submit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    scheduler: Scheduler,
}

#[derive(Debug, clap::Subcommand)]
enum Scheduler {
    /// Submit a Slurm job array, and a job that merges what it leaves
    Slurm {
        #[command(flatten)]
        run: Run,
        /// More options of sbatch, such as `--sbatch=--partition=debug`
        #[arg(long = "sbatch", value_name = "OPTION", allow_hyphen_values = true)]
        options: Vec<String>,
        /// Come back when the results are merged
        #[arg(long)]
        wait: bool,
    },
    /// Print the manifests of an indexed Job, and of one that merges: pipe them to `kubectl apply -f -`
    Kubernetes {
        #[command(flatten)]
        run: Run,
        /// Image of the containers: see docs/ci/Containerfile
        #[arg(long, value_name = "IMAGE")]
        image: String,
        /// Claim of the volume that --dir is on
        #[arg(long, value_name = "NAME")]
        claim: String,
        /// Where containers see the volume
        #[arg(long, value_name = "PATH", default_value = "/run/kharness")]
        mount: String,
        /// Resource of the KVM device plugin, or `none` for emulation
        #[arg(long, value_name = "RESOURCE", default_value = "devices.kubevirt.io/kvm")]
        kvm_resource: String,
        /// Name of the Job
        #[arg(long, value_name = "NAME", default_value = "kharness")]
        name: String,
    },
}

/// What is run.
#[derive(Debug, clap::Args)]
struct Run {
    /// Scenario files, or directories of them
    #[arg(value_name = "PATH", default_value = "scenarios")]
    scenarios: Vec<PathBuf>,
    /// How many parts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    parts: u32,
    /// Directory that all machines see: what the run needs, and what it leaves
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Kernel to send along [default: what scenarios and nodes have]
    #[arg(short, long, value_name = "KERNEL")]
    kernel: Option<String>,
    /// More arguments of `kharness run`
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

/// Submits a run.
///
/// # Errors
/// When something that is needed is not there, or the scheduler refuses.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    match &args.scheduler {
        Scheduler::Slurm { run, options, wait } => slurm(run, options, *wait),
        Scheduler::Kubernetes { run, image, claim, mount, kvm_resource, name } => {
            let cluster = Cluster {
                image: image.clone(),
                claim: claim.clone(),
                mount: mount.clone(),
                kvm: Some(kvm_resource.clone()).filter(|resource| resource != "none"),
                name: name.clone(),
            };
            kubernetes(run, &cluster)
        }
    }
}

fn slurm(run: &Run, options: &[String], wait: bool) -> Result<Exit, Failure> {
    let plan = plan(run)?;
    let submitted = submit(&plan, options, wait);
    let (array, merge) = submitted.map_err(|error| Failure::new(Exit::Harness, error))?;
    let results = plan.dir.join("results.json");
    anstream::eprintln!(
        "submitted array {array} and merge {merge}; results: {}",
        results.display()
    );
    Ok(Exit::Good)
}

fn kubernetes(run: &Run, cluster: &Cluster) -> Result<Exit, Failure> {
    let text = manifests(&plan(run)?, cluster).map_err(|e| Failure::new(Exit::Harness, e))?;
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Good)
}

fn plan(run: &Run) -> Result<Plan, Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, error);
    let mut kernels = Kernels::new(run.kernel.clone()).map_err(|error| usage(&error))?;
    let kernel = match &run.kernel {
        Some(name) => Some(kernels.named(name, Arch::X86_64).map_err(|error| usage(&error))?),
        None => None,
    };
    let wanted = Wanted {
        parts: run.parts,
        dir: &run.dir,
        scenarios: &run.scenarios,
        kernel: kernel.as_deref(),
        arguments: &run.arguments,
    };
    Plan::make(&wanted).map_err(|error| Failure::new(Exit::Harness, error))
}
