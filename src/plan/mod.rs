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
mod recorded;
mod requires;
mod test;

pub use backend::{Engine, NoEngine};
pub use cmdline::command_line;
pub use emulator::{banner as emulator_banner, of_pcs as emulator_of_pcs};
pub use handover::hand_over;
pub use image::{BuildError, image_spec};
pub use kernels::Kernels;
pub use lacking::{Lacking, lacking};
pub use machine::MachineChoice;
pub use modules::build_modules;
pub use overrides::{ParamOverride, override_params};
pub use partition::{Partition, PartitionChoice};
pub use recorded::{fit_for_recording, unrecordable};
pub use requires::unmet;
pub use test::{Test, plan};
