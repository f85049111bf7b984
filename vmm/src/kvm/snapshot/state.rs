//! All that a machine holds beside its RAM.

use kvm_bindings::CpuId;
use kvm_ioctls::Kvm;
use serde::{Deserialize, Serialize};

use super::error::SnapshotError;
use crate::Config;
use crate::kvm::arch::cpuid;
use crate::kvm::arch::msrs;
use crate::kvm::boot::build_id;
use crate::kvm::devices::DevicesState;
use crate::kvm::error::KvmError;
use crate::kvm::machine::KvmMachine;
use crate::kvm::vcpu::{Processor, ProcessorState, host_counter};
use crate::kvm::vm::{self, VmState};

/// Clocks that differ by less are the same clock, measured twice: KVM's own tolerance (`tsc_tolerance_ppm`).
const CLOCK_TOLERANCE_PPM: u64 = 250;

/// All that a machine holds beside its RAM, and what tells whose it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// The build ID of its kernel, where the image shows one.
    pub(super) kernel: Option<String>,
    /// Bytes of its RAM.
    memory: u64,
    pub(super) processors: Vec<ProcessorState>,
    pub(super) vm: VmState,
    pub(super) devices: DevicesState,
}

impl State {
    /// What `machine` holds while it stands still, of which the processors are `processors`.
    pub(super) fn of(
        kvm: &Kvm,
        machine: &KvmMachine,
        processors: &[&Processor],
    ) -> Result<Self, KvmError> {
        let registers = msrs::saved(kvm).map_err(|source| KvmError::Host {
            what: "ask KVM for its model-specific registers",
            source,
        })?;
        // Time is that of this moment for all of them.
        let now = host_counter();
        let vm = vm::save(&machine.vm)?;
        let processors = processors
            .iter()
            .map(|processor| processor.save(&registers, now))
            .collect::<Result<_, _>>()?;
        let kernel = machine.origin.kernel().cloned();
        let memory = machine.shared.memory.ram().size();
        Ok(Self { kernel, memory, processors, vm, devices: machine.shared.devices.save() })
    }

    /// Number of processors.
    pub(super) fn cpus(&self) -> u32 {
        u32::try_from(self.processors.len()).unwrap_or(u32::MAX)
    }

    /// Refuses it unless it is of a machine like `config`.
    pub(super) fn check(&self, config: &Config) -> Result<(), SnapshotError> {
        let build = build_id(&config.kernel);
        self.check_machine(config, build.as_ref()).map_err(SnapshotError::Foreign)
    }

    /// Refuses it unless the first processor would be the same here, on `cpuid`, with a clock of `khz`.
    pub(super) fn check_processor(&self, cpuid: &CpuId, khz: u32) -> Result<(), SnapshotError> {
        let saved = self.processors.first().map_or(&[][..], |processor| &processor.cpuid);
        match cpuid::missing(saved, cpuid) {
            None => self.check_clock(khz),
            Some(missing) => {
                Err(SnapshotError::Foreign(format!("it needs {missing}, which this host has not")))
            }
        }
    }

    fn check_machine(&self, config: &Config, build: Option<&String>) -> Result<(), String> {
        let cpus = self.cpus();
        if cpus != config.cpus {
            return Err(format!("it has {cpus} processors, not {}", config.cpus));
        }
        if self.memory != config.memory {
            return Err(format!("it has {} bytes of RAM, not {}", self.memory, config.memory));
        }
        match (&self.kernel, build) {
            (saved, here) if saved.as_ref() == here => Ok(()),
            (saved, here) => {
                let name = |id: Option<&String>| id.map_or("none", String::as_str).to_owned();
                let (saved, here) = (name(saved.as_ref()), name(here));
                Err(format!("its kernel has the build ID {saved}, and {here} is to run"))
            }
        }
    }

    /// Refuses it if the clock of a processor here has another frequency than that of a saved one.
    fn check_clock(&self, khz: u32) -> Result<(), SnapshotError> {
        let other = self.processors.iter().map(|processor| processor.tsc_khz).find(|saved| {
            let tolerance = u64::from(*saved) * CLOCK_TOLERANCE_PPM / 1_000_000;
            u64::from(saved.abs_diff(khz)) > tolerance
        });
        match other {
            None => Ok(()),
            Some(saved) => Err(SnapshotError::Foreign(format!(
                "its clock runs at {saved} kHz, and that of this host at {khz} kHz"
            ))),
        }
    }
}

#[cfg(test)]
pub(super) fn example() -> State {
    State {
        kernel: Some("ab01".into()),
        memory: 64 << 20,
        processors: vec![ProcessorState::default(), ProcessorState::default()],
        vm: VmState::default(),
        devices: crate::kvm::devices::test_state(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn config() -> Config {
        Config {
            model: crate::Model::Pc,
            device_tree: None,
            kernel: PathBuf::new(),
            initramfs: Vec::new(),
            cmdline: String::new(),
            cpus: 2,
            memory: 64 << 20,
            nested: false,
            disks: Vec::new(),
            paused: false,
            dir: PathBuf::new(),
        }
    }

    #[test]
    fn each_thing_that_makes_a_machine_another_is_told() {
        let (state, id) = (example(), "ab01".to_owned());
        assert_eq!(state.check_machine(&config(), Some(&id)), Ok(()));
        let refusal = |config: &Config, id: &str| {
            state.check_machine(config, Some(&id.to_owned())).unwrap_err()
        };
        assert!(refusal(&Config { cpus: 1, ..config() }, "ab01").contains("processors"));
        assert!(refusal(&Config { memory: 1, ..config() }, "ab01").contains("bytes of RAM"));
        assert!(refusal(&config(), "ab02").contains("ab01, and ab02"));
        assert!(state.check_machine(&config(), None).unwrap_err().contains("none"));
    }

    #[test]
    fn a_clock_of_another_frequency_is_refused_and_one_measured_twice_is_not() {
        let mut state = example();
        state.processors[1].tsc_khz = 2_000_000;
        state.processors[0].tsc_khz = 2_000_000;
        assert!(state.check_clock(2_000_499).is_ok());
        let words = state.check_clock(2_000_501).unwrap_err().to_string();
        assert!(words.contains("2000000 kHz"), "{words}");
    }
}
