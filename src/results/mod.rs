//! What a run came to: the one document behind every reporter.

mod model;

pub use model::{
    Attempt, Document, ExpectationResult, HostInfo, KernelInfo, ReportResult, RunInfo, SCHEMA,
    Status, StepResult, StepStatus, TestResult,
};
