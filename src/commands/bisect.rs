//! `kharness bisect`: the commit that broke a scenario.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::bisect::{Search, Verdict, find};
use crate::error::Failure;
use crate::exit::Exit;

/// What builds a kernel tree that is configured.
const BUILD: &str = "make olddefconfig && make -j\"$(nproc)\"";

/// Arguments of `kharness bisect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A revision at which the scenario passes
    good: String,
    /// A revision at which it fails
    bad: String,
    /// The scenario
    scenario: PathBuf,
    /// The kernel: the tree that is searched, or another one
    #[arg(short, long, value_name = "KERNEL")]
    kernel: String,
    /// The git tree that is searched [default: the kernel]
    #[arg(long, value_name = "DIR")]
    tree: Option<PathBuf>,
    /// Shell command that builds the tree [default: make olddefconfig && make]
    #[arg(long, value_name = "COMMAND")]
    build: Option<String>,
    /// Most passes in a row before a revision is called good
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    most: u32,
    /// More arguments of `kharness run`
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

/// Searches.
///
/// # Errors
/// When an end of the range is not what it is said to be, or something cannot be run.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let myself = env::current_exe()?;
    let test = || {
        let mut command = Command::new(&myself);
        command.arg("run").arg(&args.scenario).args(["--kernel", &args.kernel]);
        command.args(["--bisect", "--history", "none", "--quiet"]).args(&args.arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let tree = args.tree.clone().unwrap_or_else(|| PathBuf::from(&args.kernel));
    let search = Search {
        tree: &tree,
        good: &args.good,
        bad: &args.bad,
        build: args.build.as_deref().unwrap_or(BUILD),
        most: args.most,
        test: &test,
        say: &|text| anstream::eprintln!("{text}"),
    };
    match find(&search).map_err(|error| Failure::new(Exit::Harness, error))? {
        Verdict::Found(commit, line) => {
            anstream::println!("{commit} is the first bad commit: {line}");
            Ok(Exit::Good)
        }
        Verdict::Unclear(commits) => {
            anstream::println!("the first bad commit is one of:\n{}", commits.join("\n"));
            Ok(Exit::CannotTell)
        }
    }
}
