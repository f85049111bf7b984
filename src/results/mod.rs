//! What a run came to: the one document behind every reporter.

mod allowances;
mod digest;
mod frame;
mod merge;
mod model;
mod read;

pub use allowances::stale;
pub use digest::{digest, fnv1a};
pub use frame::FrameResult;
pub use merge::{Merged, merge};
pub use model::{
    Attempt, Better, Document, ExpectationResult, HostInfo, HostLoad, KernelInfo, KtapResult,
    Measure, PartitionInfo, ReportResult, RunInfo, SCHEMA, Status, StepResult, StepStatus,
    TestResult,
};
pub use read::{ReadError, read_all};
