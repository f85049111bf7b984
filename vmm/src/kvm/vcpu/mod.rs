//! Virtual processors, and the threads that run them.

mod control;
mod counters;
mod failure;
mod kick;
mod port_io;
mod processor;
mod registers;
mod thread;

pub(crate) use control::Control;
pub(crate) use counters::Counters;
pub use counters::ExitKind;
pub(crate) use processor::Processor;
pub use processor::ProcessorError;
pub(crate) use thread::live;
