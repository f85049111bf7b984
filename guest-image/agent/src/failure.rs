//! System errors to the failures of the protocol.

use std::io;

use agent_protocol::{Failure, Outcome};

/// What a request comes to before it is sent.
pub type Answer = Result<Outcome, Failure>;

/// A failure in words alone.
pub fn failure(message: impl Into<String>) -> Failure {
    Failure { message: message.into(), errno: None }
}

/// Names what a system error happened on.
pub trait Context<T> {
    /// The error as `what: reason`, with its number.
    fn context(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| {
            let error = error.into();
            Failure { message: format!("{}: {error}", what()), errno: error.raw_os_error() }
        })
    }
}
