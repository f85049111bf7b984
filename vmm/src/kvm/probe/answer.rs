//! The answer of the probe, and how it comes about.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use super::child::{self, Outcome};
use super::guest::Stage;
use crate::kvm::device;

/// How long the tiny guest may take. It needs a few milliseconds where KVM works; the rest is for
/// hosts under load and for nested virtualisation. Only a host on which it hangs waits this long.
const WATCHDOG: Duration = Duration::from_secs(2);

/// What the KVM of this host can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Stock kernels.
    Full,
    /// Small programs without exceptions or interrupts, but no kernel.
    PayloadOnly {
        /// What failed, in words.
        reason: String,
    },
    /// Nothing.
    None {
        /// What is missing, in words, with the command that mends it where there is one.
        reason: String,
    },
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("KVM runs stock kernels"),
            Self::PayloadOnly { reason } => {
                write!(f, "KVM runs small programs but no stock kernel: {reason}")
            }
            Self::None { reason } => write!(f, "no KVM: {reason}"),
        }
    }
}

/// Probes `/dev/kvm`; the answer is kept for the life of the process.
#[must_use]
pub fn probe() -> Probe {
    static ANSWER: OnceLock<Probe> = OnceLock::new();
    ANSWER.get_or_init(|| probe_device(Path::new("/dev/kvm"))).clone()
}

/// Probes the KVM device at `path`. Takes milliseconds, and never more than about two seconds.
#[must_use]
pub fn probe_device(path: &Path) -> Probe {
    match device::open(path) {
        Err(error) => Probe::None { reason: error.to_string() },
        Ok(kvm) => match child::run(&kvm, WATCHDOG) {
            Err(error) => Probe::None { reason: error.to_string() },
            Ok(outcome) => judge(&outcome),
        },
    }
}

fn judge(outcome: &Outcome) -> Probe {
    let end = &outcome.end;
    match outcome.reached {
        Some(Stage::TookInterrupt) => Probe::Full,
        Some(Stage::TookException) => Probe::PayloadOnly {
            reason: format!("a timer interrupt did not reach the guest ({end})"),
        },
        Some(Stage::Runs) => Probe::PayloadOnly {
            reason: format!(
                "an exception did not reach the guest's handler ({end}); \
                 there is no hardware virtualisation behind this KVM"
            ),
        },
        None => Probe::None { reason: format!("a guest does not run at all ({end})") },
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::End;
    use super::*;

    fn judged(reached: Option<Stage>, end: End) -> Probe {
        judge(&Outcome { reached, end })
    }

    #[test]
    fn only_a_guest_that_took_its_interrupt_proves_full_kvm() {
        assert_eq!(judged(Some(Stage::TookInterrupt), End::Finished), Probe::Full);
        for (stage, end) in [(Stage::Runs, End::TimedOut), (Stage::TookException, End::TimedOut)] {
            assert!(matches!(judged(Some(stage), end), Probe::PayloadOnly { .. }));
        }
        assert!(matches!(judged(None, End::Finished), Probe::None { .. }));
    }

    #[test]
    fn the_answer_says_in_words_what_happened() {
        let answer = judged(Some(Stage::Runs), End::TimedOut).to_string();
        assert!(answer.contains("exception") && answer.contains("did not finish"), "{answer}");
    }
}
