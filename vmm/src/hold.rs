//! Delays the virtual CPUs of a guest against each other.

use std::io;
use std::time::Duration;

/// Holds virtual CPUs of a running guest, one at a time.
pub trait HoldCpus: Send {
    /// Number of virtual CPUs.
    fn cpus(&self) -> usize;

    /// Lets vCPU `cpu` execute nothing for `time`, wherever it is, while the others go on. Returns when it
    /// goes on, too.
    ///
    /// # Errors
    /// When there is no such vCPU any more, or the host does not allow it.
    fn hold(&mut self, cpu: usize, time: Duration) -> io::Result<()>;
}
