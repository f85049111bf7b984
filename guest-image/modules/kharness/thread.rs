// SPDX-License-Identifier: GPL-2.0

//! Kernel threads on stated CPUs.

use kernel::error::from_err_ptr;
use kernel::ffi::{c_int, c_void};
use kernel::prelude::*;
use kernel::sync::atomic::{Acquire, Atomic, Release};
use kernel::sync::{Arc, Completion};
use kernel::c_str;

use crate::case::Outcome;
use crate::shim;

/// What a thread and its owner share.
#[pin_data]
pub struct Control {
    stop: Atomic<u32>,
    #[pin]
    ended: Completion,
    outcome: Atomic<u32>,
}

impl Control {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            stop: Atomic::new(0),
            ended <- Completion::new(),
            outcome: Atomic::new(0),
        })
    }

    /// Whether the thread was asked to end: `while !control.should_stop() { … }`.
    pub fn should_stop(&self) -> bool {
        self.stop.load(Acquire) != 0
    }
}

struct Work<F> {
    control: Arc<Control>,
    run: F,
}

/// A kernel thread. Where it is dropped, it is asked to end, and that is waited for.
pub struct Thread {
    /// The C half's `struct task_struct`.
    task: *mut c_void,
    control: Arc<Control>,
}

// SAFETY: a task may be joined from any thread; the rest is shared safely.
unsafe impl Send for Thread {}
// SAFETY: nothing can be done with a shared thread.
unsafe impl Sync for Thread {}

impl Thread {
    /// A thread on the CPU `cpu` that runs `run`. What fails in it fails whoever joins it.
    ///
    /// # Errors
    /// When there is no memory, or no such CPU.
    pub fn on_cpu<F>(cpu: u32, run: F) -> Result<Self>
    where
        F: FnOnce(&Control) -> Outcome + Send + 'static,
    {
        if cpu >= shim::cpus() {
            return Err(EINVAL);
        }
        Self::start(c_int::try_from(cpu)?, run)
    }

    /// A thread on any CPU.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn spawn<F>(run: F) -> Result<Self>
    where
        F: FnOnce(&Control) -> Outcome + Send + 'static,
    {
        Self::start(-1, run)
    }

    fn start<F>(cpu: c_int, run: F) -> Result<Self>
    where
        F: FnOnce(&Control) -> Outcome + Send + 'static,
    {
        let control = Arc::pin_init(Control::new(), GFP_KERNEL)?;
        let work = KBox::new(Work { control: control.clone(), run }, GFP_KERNEL)?;
        let data = KBox::into_raw(work).cast::<c_void>();
        let name = c_str!("kh_thread").as_char_ptr();
        // SAFETY: `body` takes over `data`; the name is copied.
        let task = from_err_ptr(unsafe { shim::kharness_thread(body::<F>, data, cpu, name) });
        let task = task.inspect_err(|_| {
            // SAFETY: no thread came to be, so `data` is still ours.
            drop(unsafe { KBox::from_raw(data.cast::<Work<F>>()) });
        })?;
        Ok(Self { task, control })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When a check in it failed.
    pub fn join(mut self) -> Outcome {
        self.await_end();
        match self.control.outcome.load(Acquire) {
            0 => Ok(()),
            _ => Err(crate::Stop::Fail),
        }
    }

    /// Asks it to end, and waits for that.
    ///
    /// # Errors
    /// When a check in it failed.
    pub fn stop(self) -> Outcome {
        self.control.stop.store(1, Release);
        self.join()
    }

    /// Leaves it alone, for ever: for threads that never end. The module must then stay loaded.
    pub fn abandon(self) {
        core::mem::forget(self);
    }

    fn await_end(&mut self) {
        // A thread that is stopped before it began would never run at all.
        self.control.ended.wait_for_completion();
        // SAFETY: we hold the reference that this drops.
        unsafe { shim::kharness_join(self.task) };
        self.task = core::ptr::null_mut();
    }
}

/// A test that fails before it joins its threads does not leave them behind: their code goes with the
/// module.
impl Drop for Thread {
    fn drop(&mut self) {
        if !self.task.is_null() {
            self.control.stop.store(1, Release);
            self.await_end();
        }
    }
}

unsafe extern "C" fn body<F>(data: *mut c_void) -> c_int
where
    F: FnOnce(&Control) -> Outcome,
{
    // SAFETY: `start` gave it away.
    let work = unsafe { KBox::from_raw(data.cast::<Work<F>>()) };
    let Work { control, run } = KBox::into_inner(work);
    let failed = run(&control).is_err();
    control.outcome.store(u32::from(failed), Release);
    control.ended.complete_all();
    0
}
