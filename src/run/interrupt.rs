//! Ctrl-C and its kin: the first asks for an orderly end, the second ends at once.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown};

/// Exit code of a process that SIGINT ended, as shells count it.
const ENDED_BY_SIGINT: i32 = 130;

static PRESSED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Begins to listen. Machines die with the process, so that a second signal leaves nothing either.
///
/// # Errors
/// When the handlers cannot be set.
pub fn listen() -> io::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // In this order: the first signal finds the flag unset, and sets it.
        register_conditional_shutdown(signal, ENDED_BY_SIGINT, Arc::clone(&PRESSED))?;
        register(signal, Arc::clone(&PRESSED))?;
    }
    Ok(())
}

/// Whether the user wants the run to end.
pub fn pressed() -> bool {
    PRESSED.load(Ordering::Relaxed)
}
