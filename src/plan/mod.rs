//! What is to run: scenarios, each with its kernel, its machine and its image.

mod backend;
mod cmdline;
mod emulator;
mod handover;
mod image;
mod kernels;
mod lacking;
mod machine;
mod modules;
mod nested;
mod overrides;
mod partition;
mod requires;
mod test;

pub use backend::Engine;
pub use cmdline::command_line;
pub use handover::hand_over;
pub use image::{BuildError, image_spec};
pub use kernels::Kernels;
pub use lacking::{Lacking, lacking};
pub use machine::MachineChoice;
pub use modules::build_modules;
pub use overrides::{ParamOverride, override_params};
pub use partition::{Partition, PartitionChoice};
pub use requires::unmet;
pub use test::{Test, plan};
