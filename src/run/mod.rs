//! One guest: booted, driven through its steps, and watched.

mod action;
mod boot;
mod console;
mod counters;
mod debugger;
mod driver;
mod halt;
mod interact;
mod interrupt;
mod ktap;
mod limits;
mod lost;
mod modules;
mod observation;
mod perturb;
mod remember;
mod session;
mod template;

pub use boot::{Origin, Past};
pub use console::{Console, Line, Recording, Seen};
pub use counters::Counters;
pub use debugger::{At, Debugging, gdb_command};
pub use driver::{OnStage, Stage, drive};
pub use halt::Halt;
pub use interrupt::{listen as listen_for_interrupts, pressed as interrupted};
pub use ktap::Ktap;
pub use limits::{Limits, scale_of};
pub use observation::{Boot, Observation, StepRun};
pub use remember::speaks_of_memory;
pub use session::Session;
pub use template::{Template, freeze};
