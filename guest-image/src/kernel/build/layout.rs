//! Whether Rust and C agree on the layout of every structure in the bindings.
//!
//! Kbuild passes `--no-layout-tests` to bindgen, so a structure that bindgen lays out wrongly is
//! silently wrong: with SCHEDSTATS off, fields of task_struct were found 8 bytes too low. Here
//! bindgen is run again as Kbuild ran it, but with those tests, and what it writes is compiled. The
//! tests are constant assertions: a wrong one is a compile error that names the structure.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;
use tempfile::TempDir;

use super::super::process::{ProcessError, run};
use super::BuildError;

const BINDINGS: &str = "rust/bindings/bindings_generated.rs";
const HELPERS: &str = "rust/bindings/bindings_helpers_generated.rs";

/// Checks the bindings of the Rust kernel that was built in `objects`.
pub(super) fn check(objects: &Path) -> Result<(), BuildError> {
    let scratch = TempDir::new_in(objects).map_err(|e| BuildError::io(objects, e))?;
    let dir = scratch.path();
    fs::create_dir_all(dir.join("rust/bindings"))
        .and_then(|()| fs::copy(objects.join(HELPERS), dir.join(HELPERS)))
        .map_err(|e| BuildError::io(&objects.join(HELPERS), e))?;
    let generate = saved(&objects.join("rust/bindings/.bindings_generated.rs.cmd"))?;
    run(&mut shell(objects, &with_tests(&generate, dir)), |_| {})?;
    let compile = saved(&objects.join("rust/.bindings.o.cmd"))?;
    match run(&mut shell(objects, &checked(&compile, dir)), |_| {}) {
        Ok(()) => Ok(()),
        Err(ProcessError::Failed { command, status, stderr }) => match disagreeing(&stderr) {
            types if types.is_empty() => {
                Err(ProcessError::Failed { command, status, stderr }.into())
            }
            types => Err(BuildError::Layout { types }),
        },
        Err(other) => Err(other.into()),
    }
}

/// The command that made a target, from the file in which Kbuild keeps it: `savedcmd_T := COMMAND`.
fn saved(path: &Path) -> Result<String, BuildError> {
    let text = fs::read_to_string(path).map_err(|e| BuildError::io(path, e))?;
    let line = text.lines().next().unwrap_or_default();
    let command = line.split_once(":=").map_or(line, |(_, command)| command);
    // Make's way to write a # that starts no comment.
    Ok(command.replace("$(pound)", "#").replace("$$", "$"))
}

/// bindgen's command with layout tests, writing below `dir`.
fn with_tests(command: &str, dir: &Path) -> String {
    let out = dir.join(BINDINGS);
    let bindgen = command.split(" ; ").next().unwrap_or(command);
    bindgen
        .replace(" --no-layout-tests", "")
        .replace(&format!("-o {BINDINGS}"), &format!("-o {}", out.display()))
        .replace("-MMD,rust/bindings/", &format!("-MMD,{}/", dir.display()))
}

/// rustc's command for the bindings below `dir`, which only checks them.
fn checked(command: &str, dir: &Path) -> String {
    let rustc = command.split(" ; ").next().unwrap_or(command);
    let words = rustc.split_ascii_whitespace().filter(|word| !word.starts_with("--emit="));
    let words = words.map(|word| match word.starts_with("OBJTREE=") {
        true => format!("OBJTREE={}", dir.display()),
        false => word.to_owned(),
    });
    let words: Vec<String> = words.collect();
    format!("{} --emit=metadata={}/libbindings.rmeta", words.join(" "), dir.display())
}

fn shell(objects: &Path, command: &str) -> Command {
    let mut shell = Command::new("sh");
    // Kbuild sets it to let a stable compiler take unstable features.
    shell.arg("-c").arg(command).current_dir(objects).env("RUSTC_BOOTSTRAP", "1");
    shell
}

/// The structures whose assertions failed: `["Size of task_struct"]`, `["Offset of field: a::b"]`.
fn disagreeing(stderr: &str) -> Vec<String> {
    let Ok(assertion) = Regex::new(r#"\["(?:Size of|Alignment of|Offset of field:) (\w+)"#) else {
        return Vec::new();
    };
    let names: BTreeSet<String> =
        assertion.captures_iter(stderr).map(|found| found[1].to_owned()).collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindgen_is_run_as_before_but_with_tests_and_elsewhere() {
        let command = "bindgen a.h --no-layout-tests --no-debug '.*' -o rust/bindings/bindings_generated.rs \
                       -- -Wp,-MMD,rust/bindings/.x.d -nostdinc ; sed -i s/a/b/ x";
        let expected = "bindgen a.h --no-debug '.*' -o /t/rust/bindings/bindings_generated.rs \
                        -- -Wp,-MMD,/t/.x.d -nostdinc";
        assert_eq!(with_tests(command, Path::new("/t")), expected);
    }

    #[test]
    fn rustc_only_checks() {
        let command = " OBJTREE=/o rustc --emit=dep-info=a --emit=obj=b lib.rs ; objtool b";
        let expected = "OBJTREE=/t rustc lib.rs --emit=metadata=/t/libbindings.rmeta";
        assert_eq!(checked(command, Path::new("/t")), expected);
    }

    #[test]
    fn the_structures_are_read_from_the_compiler_s_errors() {
        let stderr = "error[E0080]: index out of bounds\n ::: x.rs\n |     \
            [\"Alignment of sched_statistics\"][::core::mem::align_of::<sched_statistics>() - 64usize];\n\
            |  [\"Offset of field: task_struct::policy\"]\n|  [\"Size of task_struct\"]\n";
        assert_eq!(disagreeing(stderr), ["sched_statistics", "task_struct"]);
    }
}
