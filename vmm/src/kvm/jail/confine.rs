//! Gives up capabilities, files and system calls, in this order: each step needs what the next takes.

use std::sync::Arc;

use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, Scope};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};
use seccompiler::{BpfProgram, apply_filter};

use super::filter;

/// The newest set of rights that is asked for; the kernel takes of it what it knows.
const LANDLOCK: ABI = ABI::V6;

/// Why a thread cannot be confined.
#[derive(Debug, thiserror::Error)]
pub enum JailError {
    /// The filter cannot be built.
    #[error("cannot build the system call filter: {0}")]
    Filter(#[from] seccompiler::BackendError),
    /// The kernel does not take the filter.
    #[error("cannot install the system call filter: {0}; the host needs CONFIG_SECCOMP_FILTER")]
    Install(#[from] seccompiler::Error),
    /// The kernel does not let go of the capabilities.
    #[error("cannot give up capabilities: {0}")]
    Capabilities(#[from] rustix::io::Errno),
    /// The kernel has Landlock, but refuses.
    #[error("cannot give up access to files: {0}")]
    Landlock(#[from] landlock::RulesetError),
}

/// What confines the threads of a machine.
#[derive(Debug, Clone)]
pub(crate) struct Jail {
    filter: Arc<BpfProgram>,
}

impl Jail {
    pub(crate) fn new() -> Result<Self, JailError> {
        Ok(Self { filter: Arc::new(filter::program()?) })
    }

    /// Confines the calling thread, for ever.
    pub(crate) fn enter(&self) -> Result<(), JailError> {
        set_no_new_privs(true)?;
        give_up_capabilities()?;
        give_up_files()?;
        Ok(apply_filter(&self.filter)?)
    }
}

fn give_up_capabilities() -> Result<(), JailError> {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(set_capabilities(None, sets)?)
}

/// Without a rule nothing is allowed. A kernel without Landlock is fine: the filter has no
/// system call that opens a file either.
fn give_up_files() -> Result<(), JailError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::AbstractUnixSocket)?
        .create()?
        .restrict_self()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::net::TcpListener;
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// What `body` gives on a confined thread.
    fn confined<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
        let jail = Jail::new().unwrap();
        let thread = thread::spawn(move || {
            jail.enter().unwrap();
            body()
        });
        thread.join().unwrap()
    }

    #[test]
    fn a_confined_thread_reaches_no_file_program_or_network() {
        assert!(confined(|| File::open("/dev/null").is_err()));
        assert!(confined(|| File::create("/tmp/kharness-never").is_err()));
        assert!(confined(|| Command::new("true").status().is_err()));
        assert!(confined(|| TcpListener::bind("127.0.0.1:0").is_err()));
        assert!(confined(|| UnixDatagram::unbound().is_err()));
    }

    #[test]
    fn no_memory_becomes_executable_there() {
        let outcome = confined(|| {
            let access = rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::EXEC;
            let flags = rustix::mm::MapFlags::PRIVATE;
            // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
            unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), 4096, access, flags) }
                .is_err()
        });
        assert!(outcome);
    }

    #[test]
    fn a_confined_thread_can_do_its_work() {
        let sum = confined(|| {
            let (sender, receiver) = std::sync::mpsc::channel();
            let pages = vec![1u8; 8 << 20];
            sender.send(pages.iter().map(|byte| usize::from(*byte)).sum::<usize>()).unwrap();
            thread::sleep(Duration::from_millis(1));
            receiver.recv().unwrap()
        });
        assert_eq!(sum, 8 << 20);
    }

    #[test]
    fn the_thread_that_started_it_stays_free() {
        confined(|| ());
        assert!(File::open("/dev/null").is_ok());
    }
}
