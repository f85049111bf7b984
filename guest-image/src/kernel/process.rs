//! Running other programs: package tools, make, compilers.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::thread;

/// How much of what a failed program said is kept, in bytes.
const MAX_STDERR: usize = 4000;

/// Why a program did not do what it was run for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The program is not installed.
    #[error("{program} is not installed, or not on PATH")]
    Missing {
        /// The program.
        program: String,
    },

    /// The program could not be started, or not be read from.
    #[error("cannot run {program}: {source}")]
    Run {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },

    /// The program failed.
    #[error("{command} failed ({status}): {stderr}")]
    Failed {
        /// The command, as a shell would take it.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it said on standard error.
        stderr: String,
    },
}

/// `program`, to be told to end (SIGTERM) when the thread that starts it dies, however that comes
/// about: make then stops what it runs and removes what is half made. Where setpriv(1) of
/// util-linux is missing, it is left to itself.
pub(super) fn mortal(program: &str) -> Command {
    static SETPRIV: LazyLock<bool> = LazyLock::new(|| {
        let help = Command::new("setpriv").arg("--help").output();
        help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--pdeathsig"))
    });
    if !*SETPRIV {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", program]);
    command
}

/// Runs `command`, giving each line of its standard output to `line`.
pub(crate) fn run(command: &mut Command, mut line: impl FnMut(&str)) -> Result<(), ProcessError> {
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().map_err(|source| not_started(&program, source))?;
    let stderr = drain(&mut child);
    let outcome = each_line(&mut child, &mut line).and_then(|()| child.wait());
    let status = outcome.map_err(|source| ProcessError::Run { program, source })?;
    let stderr = stderr.map(|thread| thread.join().unwrap_or_default()).unwrap_or_default();
    if status.success() { Ok(()) } else { Err(failure(command, status, &stderr)) }
}

/// Runs `command` for its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, ProcessError> {
    let mut text = String::new();
    run(command, |line| {
        text.push_str(line);
        text.push('\n');
    })?;
    Ok(text)
}

/// Reads standard error on a thread of its own: a program that fills one pipe while we read the
/// other would wait for ever.
fn drain(child: &mut Child) -> Option<thread::JoinHandle<String>> {
    let mut stderr = child.stderr.take()?;
    Some(thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is still worth showing.
        let _ = stderr.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }))
}

fn each_line(child: &mut Child, line: &mut impl FnMut(&str)) -> io::Result<()> {
    let Some(stdout) = child.stdout.take() else { return Ok(()) };
    for bytes in BufReader::new(stdout).split(b'\n') {
        line(String::from_utf8_lossy(&bytes?).trim_end());
    }
    Ok(())
}

fn not_started(program: &str, source: io::Error) -> ProcessError {
    let program = program.into();
    if source.kind() == io::ErrorKind::NotFound {
        return ProcessError::Missing { program };
    }
    ProcessError::Run { program, source }
}

fn failure(command: &Command, status: ExitStatus, stderr: &str) -> ProcessError {
    let stderr = stderr.trim();
    let start = stderr.ceil_char_boundary(stderr.len().saturating_sub(MAX_STDERR));
    let stderr = stderr[start..].into();
    ProcessError::Failed { command: shown(command), status: status.to_string(), stderr }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, Instant};

    use super::*;

    fn shell(script: &str) -> Result<String, ProcessError> {
        output(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn lines_of_output_are_given_one_by_one() {
        assert_eq!(shell("echo a; printf b").unwrap(), "a\nb\n");
    }

    #[test]
    fn a_program_that_says_much_on_both_streams_does_not_hang() {
        let text = shell("for i in $(seq 20000); do echo out; echo err >&2; done").unwrap();
        assert_eq!(text.lines().count(), 20000);
    }

    #[test]
    fn a_failure_has_the_end_of_what_the_program_said() {
        let failed = shell("seq 2000 >&2; echo 'E: strange' >&2; exit 100").unwrap_err();
        let ProcessError::Failed { stderr, status, .. } = &failed else { panic!("{failed}") };
        assert!(stderr.ends_with("E: strange") && stderr.len() <= MAX_STDERR, "{failed}");
        assert!(status.contains("100"), "{failed}");
    }

    /// Waits until `done`, for as long as a busy machine may take.
    fn wait_until(mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done() {
            assert!(Instant::now() < deadline, "it did not come");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_mortal_program_ends_with_whoever_started_it() {
        let starter = thread::spawn(|| {
            let child = mortal("sleep").arg("600").spawn().unwrap();
            let name = format!("/proc/{}/comm", child.id());
            // Until then it is setpriv, which has not yet asked for the signal.
            wait_until(|| fs::read_to_string(&name).is_ok_and(|name| name == "sleep\n"));
            child
        });
        let mut child = starter.join().unwrap();
        wait_until(|| child.try_wait().unwrap().is_some());
    }

    #[test]
    fn a_missing_program_is_named() {
        let missing = output(&mut Command::new("/absent/program")).unwrap_err();
        assert!(
            matches!(&missing, ProcessError::Missing { program } if program == "/absent/program")
        );
    }
}
