//! What is to run: scenarios, each with its kernel, its machine and its image.

mod backend;
mod cmdline;
mod image;
mod kernels;
mod requires;
mod test;

pub use backend::Engine;
pub use cmdline::command_line;
pub use image::build_image;
pub use kernels::Kernels;
pub use requires::unmet;
pub use test::{Test, plan};
