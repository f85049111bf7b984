//! Running the distribution's package tools.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use super::FetchError;

/// How much of what a failed program said is kept, in bytes.
const MAX_STDERR: usize = 2000;

/// Runs `command`, giving each line of its standard output to `line`.
pub(super) fn run(
    program: &'static str,
    command: &mut Command,
    mut line: impl FnMut(&str),
) -> Result<(), FetchError> {
    let command = command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| not_started(program, source))?;
    let stderr = drain(&mut child);
    let outcome = each_line(&mut child, &mut line).and_then(|()| child.wait());
    let status = outcome.map_err(|source| FetchError::Run { program, source })?;
    let stderr = stderr.map(|thread| thread.join().unwrap_or_default()).unwrap_or_default();
    if status.success() { Ok(()) } else { Err(failure(command, status, &stderr)) }
}

/// Runs `command` for its standard output.
pub(super) fn output(program: &'static str, command: &mut Command) -> Result<String, FetchError> {
    let mut text = String::new();
    run(program, command, |line| {
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

fn not_started(program: &'static str, source: io::Error) -> FetchError {
    if source.kind() == io::ErrorKind::NotFound {
        return FetchError::NoTool { program };
    }
    FetchError::Run { program, source }
}

/// Tells the failures that people can do something about by what apt and dpkg say of them.
fn failure(command: &Command, status: ExitStatus, stderr: &str) -> FetchError {
    const NO_NETWORK: [&str; 6] = [
        "Temporary failure resolving",
        "Could not resolve",
        "Could not connect",
        "Cannot initiate the connection",
        "Unable to connect",
        "Connection timed out",
    ];
    if stderr.contains("No space left on device") {
        return FetchError::DiskFull;
    }
    let unreachable = |line: &&str| NO_NETWORK.iter().any(|text| line.contains(text));
    if let Some(line) = stderr.lines().find(unreachable) {
        return FetchError::NoNetwork { detail: line.trim().into() };
    }
    let stderr = stderr.trim();
    let start = stderr.ceil_char_boundary(stderr.len().saturating_sub(MAX_STDERR));
    FetchError::Failed {
        command: shown(command),
        status: status.to_string(),
        stderr: stderr[start..].into(),
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<String, FetchError> {
        output("sh", Command::new("sh").args(["-c", script]))
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
    fn failures_are_told_apart() {
        let failed = shell("echo 'E: strange' >&2; exit 100").unwrap_err();
        assert!(
            matches!(&failed, FetchError::Failed { stderr, .. } if stderr == "E: strange"),
            "{failed}"
        );
        let network = shell("echo 'Err: Temporary failure resolving x' >&2; exit 100").unwrap_err();
        assert!(matches!(network, FetchError::NoNetwork { .. }), "{network}");
        let full =
            shell("echo 'dpkg-deb: error: No space left on device' >&2; exit 2").unwrap_err();
        assert!(matches!(full, FetchError::DiskFull), "{full}");
        let missing = output("apt-get", &mut Command::new("/absent/apt-get")).unwrap_err();
        assert!(matches!(missing, FetchError::NoTool { program: "apt-get" }), "{missing}");
    }
}
