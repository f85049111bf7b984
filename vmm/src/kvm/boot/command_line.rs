//! The kernel command line: what the machine adds to it, and what is too much.
//!
//! | argument | added unless | reason |
//! |---|---|---|
//! | `earlycon=uart8250,mmio32,0xd0100000` | `earlycon` or `earlyprintk` is given | output from the first moment, and at about 170 bytes an exit instead of two exits a byte |
//! | `console=hvc0` | `console` is given | one exit a line; takes over from the early console where that left off |
//! | `pci=off` | `pci` is given | there is no PCI, and no table can say so: looking for it takes 225 port accesses, each an exit |
//!
//! Nothing else is needed: the ACPI tables say what is not there (PIT, VGA, CMOS clock, keyboard
//! controller), and kvmclock tells the frequency of the TSC.

use crate::kvm::arch::layout::{COMMAND_LINE_ROOM, EARLY_CONSOLE};

/// `COMMAND_LINE_SIZE` of Linux on x86: what an ELF image takes, which does not say.
const DEFAULT_LIMIT: usize = 2048;

/// Why a command line cannot be passed on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    /// The kernel would cut it off.
    #[error("the kernel command line has {length} bytes, and this kernel takes {limit} at most")]
    TooLong {
        /// Its length with all that the machine adds.
        length: usize,
        /// What the kernel takes.
        limit: usize,
    },
    /// The kernel would not see what follows.
    #[error("the kernel command line has a NUL byte at position {0}")]
    Nul(usize),
}

/// `given` with the machine's own arguments, as a string with a NUL at its end. `limit` is
/// what the image says that it takes, if it does.
pub(crate) fn complete(given: &str, limit: Option<u32>) -> Result<Vec<u8>, CommandLineError> {
    if let Some(at) = given.find('\0') {
        return Err(CommandLineError::Nul(at));
    }
    let mut line = with_defaults(given);
    let limit = limit.map_or(DEFAULT_LIMIT, |limit| limit as usize);
    let limit = limit.min(COMMAND_LINE_ROOM - 1);
    if line.len() > limit {
        return Err(CommandLineError::TooLong { length: line.len(), limit });
    }
    line.push('\0');
    Ok(line.into_bytes())
}

fn with_defaults(given: &str) -> String {
    let mut line = String::new();
    if !has(given, &["earlycon", "earlyprintk"]) {
        line += &format!("earlycon=uart8250,mmio32,{EARLY_CONSOLE:#x} ");
    }
    if !has(given, &["console"]) {
        line += "console=hvc0 ";
    }
    if !has(given, &["pci"]) {
        line += "pci=off ";
    }
    // What is given comes last, so that it wins, and so that arguments to init behind a "--" stay so.
    line + given.trim()
}

/// Does the kernel's part of `line` set one of `names`?
fn has(line: &str, names: &[&str]) -> bool {
    line.split_ascii_whitespace()
        .take_while(|word| *word != "--")
        .any(|word| names.contains(&word.split('=').next().unwrap_or(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(given: &str) -> String {
        let mut bytes = complete(given, None).unwrap();
        assert_eq!(bytes.pop(), Some(0));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn both_consoles_are_set_where_none_is_given() {
        let line = line("quiet -- console=x");
        assert!(line.starts_with("earlycon=uart8250,mmio32,0xd0100000 console=hvc0 pci=off quiet"));
    }

    #[test]
    fn pci_is_looked_for_where_that_is_asked_for() {
        assert!(!line("pci=realloc").contains("pci=off"));
    }

    #[test]
    fn a_console_that_is_given_stays_the_only_one() {
        assert_eq!(
            line("console=ttyS0 earlyprintk=ttyS0"),
            "pci=off console=ttyS0 earlyprintk=ttyS0"
        );
        assert!(!line("console=ttyS0").contains("hvc0"));
        assert!(line("consoleblank=0").contains("hvc0"));
    }

    #[test]
    fn what_the_kernel_would_cut_off_is_refused() {
        let long = "x".repeat(2000);
        assert!(matches!(complete(&long, None), Err(CommandLineError::TooLong { .. })));
        assert!(complete(&long, Some(4096)).is_ok());
        assert!(complete(&long, Some(100)).is_err());
        assert!(complete(&"x".repeat(1 << 20), Some(u32::MAX)).is_err());
    }

    #[test]
    fn a_nul_is_refused_with_its_place() {
        assert_eq!(complete("a\0b", None), Err(CommandLineError::Nul(1)));
    }
}
