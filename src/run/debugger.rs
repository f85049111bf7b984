//! Stops the guest for a debugger, at the moment that was asked for.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use vmm::Machine;

/// When to stop for the debugger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// Before the first instruction.
    Boot,
    /// After the first kernel report.
    Report,
    /// Before the step with this id.
    Step(String),
}

impl FromStr for At {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "boot" => Self::Boot,
            "report" => Self::Report,
            step => Self::Step(step.to_owned()),
        })
    }
}

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Debugging {
    /// When to stop.
    pub at: At,
    /// Socket to serve gdb on; one in the test's directory where there is none.
    pub socket: Option<PathBuf>,
}

impl Debugging {
    /// What the kernel command line needs: addresses as in the symbols, and a guest that stays after a
    /// panic.
    pub const CMDLINE: &str = "nokaslr panic=0";

    /// The debugger of one guest, whose files are in `dir` and whose kernel has its symbols in `symbols`.
    pub fn of_guest(&self, dir: &Path, symbols: &Path) -> Debugger {
        let socket = self.socket.clone().unwrap_or_else(|| dir.join("gdb"));
        Debugger { at: self.at.clone(), socket, symbols: symbols.to_owned(), waits: true }
    }
}

/// Stops one guest, once.
#[derive(Debug)]
pub struct Debugger {
    at: At,
    socket: PathBuf,
    symbols: PathBuf,
    /// Whether it has not stopped the guest yet.
    waits: bool,
}

impl Debugger {
    /// The guest is at `moment`: stops it there if that is when it was to be stopped.
    ///
    /// # Errors
    /// When the machine cannot be stopped or served.
    pub fn reached(&mut self, moment: &At, machine: &mut dyn Machine) -> io::Result<()> {
        if !self.waits || self.at != *moment {
            return Ok(());
        }
        self.waits = false;
        machine.pause()?;
        machine.serve_gdb(&self.socket)?;
        anstream::eprintln!("{}", self.announcement());
        Ok(())
    }

    fn announcement(&self) -> String {
        let place = match &self.at {
            At::Boot => "before its first instruction (use `hbreak` until the kernel runs)".into(),
            At::Report => "after a kernel report".into(),
            At::Step(id) => format!("before step {id}"),
        };
        let command = gdb_command(&self.socket, &self.symbols);
        format!(
            "The guest has stopped {place}. In another terminal:\n\n    {command}\n\n\
             `continue` runs the scenario on, `detach` without the debugger, `kill` ends it."
        )
    }
}

/// The command, for a shell, that debugs a guest on `socket` whose kernel has its symbols in the file `symbols`.
pub fn gdb_command(socket: &Path, symbols: &Path) -> String {
    let target = format!("target remote {}", socket.display());
    let symbols = symbols.display().to_string();
    let words = ["gdb", "-ex", &target, &symbols];
    shlex::try_join(words).unwrap_or_else(|_| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_boot_or_a_report_or_else_a_step() {
        assert_eq!("boot".parse(), Ok(At::Boot));
        assert_eq!("report".parse(), Ok(At::Report));
        assert_eq!("s1".parse(), Ok(At::Step("s1".into())));
    }

    #[test]
    fn the_announcement_is_a_command_that_a_shell_takes() {
        let debugging = Debugging { at: At::Boot, socket: None };
        let debugger = debugging.of_guest(Path::new("/a dir"), Path::new("/boot/vmlinux-1"));
        let told = debugger.announcement();
        assert!(told.contains("gdb -ex 'target remote /a dir/gdb' /boot/vmlinux-1\n"), "{told}");
    }
}
