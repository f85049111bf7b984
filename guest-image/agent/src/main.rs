//! PID 1 of a kharness guest: sets the guest up, then does what the harness asks for.
//!
//! The same binary is the guest's workloads, under the names in [`workload`], and serves a
//! channel on its standard input when started as `kharness-agent serve`, outside of a guest.

mod boot;
mod channel;
mod failure;
mod kmsg;
mod modules;
mod power;
mod programs;
mod sched;
mod serve;
mod sys;
mod threads;
mod workload;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    if let Some(code) = workload::run(&arguments) {
        return code;
    }
    if power::is_init() {
        boot::run();
    }
    if arguments.get(1).is_some_and(|word| word == "serve") {
        return serve::on_stdin();
    }
    eprintln!("kharness-agent: this is the init of a kharness guest; it is not run by hand");
    ExitCode::from(2)
}
