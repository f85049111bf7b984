//! Programs of exactly known behaviour, for scenarios: this binary under other names.

pub fn run(_arguments: &[String]) -> Option<std::process::ExitCode> {
    None
}
