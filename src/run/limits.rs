//! How long each phase may take, on the machine at hand.

use std::time::Duration;

use vmm::Backend;

use crate::scenario::model::Scenario;

/// How much longer than on hardware virtualisation everything may take in an emulator. A stock
/// kernel boots about eight times slower there; limits are generous, so half of that is enough.
const EMULATION: f64 = 4.0;

/// A year: longer than anybody debugs, and no overflow in sums of it.
const LIFTED: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long a guest with a KVM of its own may be silent before it is asked for a sign of life. QEMU's emulation of SVM
/// changes the interrupts that await its processor without the lock that devices take (`helper_vmrun` of
/// target/i386/tcg/sysemu/svm_helper.c), so that the guest's timer is lost now and then; the next interrupt, such
/// as that of a request, brings it back.
const NUDGE: Duration = Duration::from_secs(2);

/// Limits, scaled to the speed of the backend.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Start of the machine to the agent's first message.
    pub boot: Duration,
    /// One step that states no limit of its own.
    pub step: Duration,
    /// No byte on any stream.
    pub quiet: Duration,
    /// No byte on any stream, until the agent is asked for a sign of life.
    pub sign: Duration,
    /// The whole scenario.
    pub total: Duration,
    /// How long something may take that takes no time on a healthy guest.
    pub grace: Duration,
    scale: f64,
    lifted: bool,
}

impl Limits {
    /// The limits that a scenario states, for a backend that is `scale` times slower than KVM.
    pub fn of(scenario: &Scenario, scale: f64) -> Self {
        let stated = &scenario.timeout;
        let quiet = stated.quiet.0.mul_f64(scale);
        Self {
            boot: stated.boot.0.mul_f64(scale),
            step: stated.step.0.mul_f64(scale),
            quiet,
            sign: if scenario.machine.nested { NUDGE.min(quiet / 2) } else { quiet / 2 },
            total: stated.total.0.mul_f64(scale),
            grace: Duration::from_secs(3).mul_f64(scale),
            scale,
            lifted: false,
        }
    }

    /// Lets everything that a person at a debugger can hold up take as long as it takes.
    pub fn lift(&mut self) {
        let limits =
            [&mut self.boot, &mut self.step, &mut self.quiet, &mut self.sign, &mut self.total];
        limits.into_iter().for_each(|limit| *limit = LIFTED);
        self.lifted = true;
    }

    /// A limit that a step states, scaled like all others.
    pub fn scaled(&self, stated: Duration) -> Duration {
        if self.lifted { LIFTED } else { stated.mul_f64(self.scale) }
    }
}

/// The scale that fits a backend.
pub fn scale_of(backend: Backend) -> f64 {
    match backend {
        Backend::Kvm | Backend::QemuKvm => 1.0,
        Backend::QemuTcg => EMULATION,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(machine: &str) -> Limits {
        let yaml =
            format!("{{machine: {machine}, timeout: {{quiet: 1m}}, steps: [{{shell: 'true'}}]}}");
        Limits::of(&crate::scenario::built_in("x", &yaml).unwrap().scenario, 2.0)
    }

    #[test]
    fn a_silent_guest_is_asked_in_time_and_one_with_a_kvm_of_its_own_soon() {
        let (plain, nested) = (limits("{}"), limits("{nested: true}"));
        assert_eq!((plain.sign, plain.quiet), (Duration::from_secs(60), Duration::from_secs(120)));
        assert_eq!((nested.sign, nested.quiet), (NUDGE, plain.quiet));
    }
}
