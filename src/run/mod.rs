//! One guest: booted, driven through its steps, and watched.

mod action;
mod console;
mod driver;
mod halt;
mod interrupt;
mod limits;
mod observation;
mod session;

pub use console::{Console, Line, Seen};
pub use driver::{OnPhase, drive};
pub use halt::Halt;
pub use interrupt::{listen as listen_for_interrupts, pressed as interrupted};
pub use limits::{Limits, scale_of};
pub use observation::{Observation, StepRun};
pub use session::Session;
