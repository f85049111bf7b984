//! Virtual processors, and the threads that run them.

mod control;
mod counters;
mod debug;
mod failure;
mod first_run;
mod kick;
mod port_io;
mod processor;
mod registers;
mod state;
mod thread;
mod tsc;

pub(crate) use control::Control;
pub(crate) use counters::Counters;
pub use counters::ExitKind;
pub(crate) use first_run::FirstRun;
pub(crate) use processor::Processor;
pub use processor::ProcessorError;
pub(crate) use state::ProcessorState;
pub(crate) use thread::live;
pub(crate) use tsc::host_counter;
