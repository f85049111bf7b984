//! Spreads a run over machines through the schedulers that people have.

mod bundle;
mod kubernetes;
mod plan;
mod slurm;

pub use kubernetes::{Cluster, manifests};
pub use plan::{Plan, Wanted};
pub use slurm::submit;
