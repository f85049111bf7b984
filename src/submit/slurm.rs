//! Slurm: a job array, one task a part, and a job that merges when the last has ended.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::plan::Plan;

/// Why nothing was submitted.
#[derive(Debug, thiserror::Error)]
pub enum SlurmError {
    /// The script cannot be written.
    #[error("cannot write {path}: {error}")]
    Script {
        /// The script.
        path: PathBuf,
        /// What the host says.
        error: io::Error,
    },
    /// `sbatch` cannot be started.
    #[error("cannot start sbatch: {0}; submit from a machine of the cluster")]
    Missing(io::Error),
    /// `sbatch` refuses.
    #[error("sbatch: {0}")]
    Refused(String),
}

/// The script of a part. Slurm starts it again where a node is lost; every start has a directory
/// of its own, so that one that was given up too early cannot disturb its successor.
fn script(plan: &Plan) -> String {
    let command = words(plan);
    let dir = quoted(&plan.dir.display().to_string());
    format!(
        "#!/bin/sh\n\
         #SBATCH --job-name=kharness\n\
         #SBATCH --array=0-{last}\n\
         #SBATCH --requeue\n\
         #SBATCH --open-mode=append\n\
         set -eu\n\
         dir={dir}\n\
         exec {command} --run-dir \"$dir/parts/$SLURM_ARRAY_TASK_ID.${{SLURM_RESTART_COUNT:-0}}\"\n",
        last = plan.parts - 1,
    )
}

/// The script that merges.
fn merge_script(plan: &Plan) -> String {
    let program = quoted(&plan.program.display().to_string());
    let dir = quoted(&plan.dir.display().to_string());
    format!(
        "#!/bin/sh\n\
         #SBATCH --job-name=kharness-merge\n\
         dir={dir}\n\
         exec {program} merge \"$dir/parts\" --output \"$dir/results.json\" --history none\n"
    )
}

/// Submits both jobs, with more `options` of `sbatch`. Gives their numbers. With `wait` it comes
/// back when they have ended.
///
/// # Errors
/// When the scripts cannot be written, or Slurm refuses.
pub fn submit(plan: &Plan, options: &[String], wait: bool) -> Result<(String, String), SlurmError> {
    let parts = write(plan, "part.sh", &script(plan))?;
    let merge = write(plan, "merge.sh", &merge_script(plan))?;
    let log = |name: &str| format!("--output={}/log/{name}.log", plan.dir.display());
    let array = sbatch(options, &[log("part-%a"), parts])?;
    let after = format!("--dependency=afterany:{array}");
    let mut arguments = vec![after, log("merge")];
    if wait {
        arguments.push("--wait".to_owned());
    }
    arguments.push(merge);
    let merge = sbatch(options, &arguments)?;
    Ok((array, merge))
}

fn write(plan: &Plan, name: &str, text: &str) -> Result<String, SlurmError> {
    let path = plan.dir.join(name);
    fs::write(&path, text).map_err(|error| SlurmError::Script { path: path.clone(), error })?;
    Ok(path.display().to_string())
}

/// Runs `sbatch` and gives the number of the job.
fn sbatch(options: &[String], arguments: &[String]) -> Result<String, SlurmError> {
    let mut command = Command::new("sbatch");
    let output = command.arg("--parsable").args(options).args(arguments).output();
    let output = output.map_err(SlurmError::Missing)?;
    let said = String::from_utf8_lossy(&output.stdout);
    // With `--wait` the exit code is that of the job; its number comes first in any case.
    let number: String = said.trim().chars().take_while(char::is_ascii_digit).collect();
    if number.is_empty() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(SlurmError::Refused(why));
    }
    Ok(number)
}

fn words(plan: &Plan) -> String {
    let program = plan.program.display().to_string();
    let all = [&program].into_iter().chain(&plan.words).map(String::as_str);
    shlex::try_join(all.clone()).unwrap_or_else(|_| all.collect::<Vec<_>>().join(" "))
}

fn quoted(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}
