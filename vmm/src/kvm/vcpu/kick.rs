//! Getting a processor out of `KVM_RUN`, without a race.
//!
//! A signal alone may arrive just before the thread enters `KVM_RUN`, and would be lost. So its handler
//! sets `immediate_exit` in the page that the thread shares with KVM, and `KVM_RUN` returns at once.
//! The thread clears the flag first and looks at its orders second, and whoever gives orders
//! does so before it kicks: whenever the kick arrives, either the thread sees the order or KVM the flag.
//!
//! Source: Linux `Documentation/virt/kvm/api.rst`, section 5, `immediate_exit`.

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicU8, Ordering};

use libc::{c_int, c_void, pid_t, siginfo_t};
use vmm_sys_util::signal::{SIGRTMIN, register_signal_handler, unblock_signal};

thread_local! {
    /// `immediate_exit` of the processor that this thread runs.
    static FLAG: Cell<*mut u8> = const { Cell::new(ptr::null_mut()) };
}

/// The signal: real-time, so that no library is likely to claim it.
fn signal() -> c_int {
    SIGRTMIN() + 3
}

extern "C" fn on_kick(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    let flag = FLAG.with(Cell::get);
    if !flag.is_null() {
        // SAFETY: a seat sets the pointer while the page is mapped and clears it before it is gone,
        // on this thread.
        unsafe { AtomicU8::from_ptr(flag) }.store(1, Ordering::SeqCst);
    }
}

/// While it lives, kicks at this thread reach the processor whose flag it was given.
#[derive(Debug)]
pub(super) struct Seat {
    thread: pid_t,
    // The flag is set for this very thread.
    _not_send: PhantomData<*const ()>,
}

impl Seat {
    /// Takes the seat of the processor with the given `immediate_exit`.
    ///
    /// # Safety
    ///
    /// `flag` must stay valid until the seat is dropped.
    pub(super) unsafe fn take(flag: *mut u8) -> io::Result<Self> {
        static HANDLER: Once = Once::new();
        let mut outcome = Ok(());
        HANDLER.call_once(|| outcome = register_signal_handler(signal(), on_kick));
        outcome.map_err(io::Error::from)?;
        // It is inherited from whoever started the thread whether signals are blocked.
        unblock_signal(signal()).map_err(|error| io::Error::other(format!("{error:?}")))?;
        FLAG.with(|own| own.set(flag));
        // SAFETY: asks the kernel for a number.
        let thread = unsafe { libc::gettid() };
        Ok(Self { thread, _not_send: PhantomData })
    }

    /// Whom to kick.
    pub(super) fn thread(&self) -> pid_t {
        self.thread
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        FLAG.with(|own| own.set(ptr::null_mut()));
    }
}

/// Kicks a thread. One that has ended, or has no seat, is not harmed.
pub(super) fn kick(thread: pid_t) {
    // SAFETY: sends a signal whose handler is installed before any thread number is known.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal()) };
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_kick_sets_the_flag_of_the_thread_that_it_was_sent_to_and_no_other() {
        let mut flags = [0u8; 2];
        // SAFETY: the flags outlive the seat.
        let seat = unsafe { Seat::take(&raw mut flags[0]) }.unwrap();
        let thread = seat.thread();
        std::thread::scope(|scope| {
            let other = &raw mut flags[1] as usize;
            scope.spawn(move || {
                // SAFETY: as above.
                let _seat = unsafe { Seat::take(other as *mut u8) }.unwrap();
                kick(thread);
            });
        });
        drop(seat);
        assert_eq!(flags, [1, 0]);
    }

    #[test]
    fn a_kick_at_a_thread_without_a_seat_does_nothing() {
        let mut flag = 0u8;
        // SAFETY: the flag outlives the seat.
        let seat = unsafe { Seat::take(&raw mut flag) }.unwrap();
        let thread = seat.thread();
        drop(seat);
        kick(thread);
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(flag, 0);
    }
}
