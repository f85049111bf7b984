//! Recorded executions: kept in a directory with all that it takes to do them again.

mod error;
mod find;
mod manifest;
mod replay;
mod store;

pub use error::RecordingError;
pub use find::find;
pub use manifest::Manifest;
pub use replay::{End, Watch, follow};
pub use store::{Place, forget, keep};
