//! Which guest it is that was saved.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};

use inspect::dump::file_hash;
use serde::{Deserialize, Serialize};

use crate::plan::{Engine, Test, emulator_banner};
use crate::scenario::model::Machine;

/// All that must be the same for a copy to be one of the guest that a test would boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Release of the kernel.
    pub release: String,
    /// What the kernel was called on the command line.
    pub kernel: String,
    /// SHA-256 of its image.
    kernel_sha256: String,
    /// What ran it.
    pub backend: String,
    /// What QEMU says of its version, where that ran it.
    emulator: Option<String>,
    /// The host's processor, where the guest sees that one.
    processor: Option<String>,
    /// Number of vCPUs.
    pub cpus: u32,
    /// Bytes of RAM.
    pub memory: u64,
    /// The machine, as a resolved scenario has it.
    machine: serde_json::Value,
    /// The whole kernel command line.
    pub cmdline: String,
    /// The words of it that the scenario asked for.
    pub words: String,
    /// Version of the agent's protocol.
    protocol: u32,
}

impl Identity {
    /// That of the guest that `test` boots with `cmdline`.
    ///
    /// # Errors
    /// When the kernel cannot be read; the words say why.
    pub fn of(test: &Test, engine: &Engine, cmdline: String) -> Result<Self, String> {
        let machine = &test.loaded.scenario.machine;
        let engine = engine.for_machine(machine).map_err(|error| error.to_string())?;
        let backend = engine.backend();
        let is_emulated = backend == vmm::Backend::QemuTcg;
        Ok(Self {
            release: test.kernel.release.clone(),
            kernel: test.kernel.source.clone(),
            kernel_sha256: file_hash(&test.kernel.image).map_err(|error| error.to_string())?,
            backend: backend.to_string(),
            emulator: engine.program().map(emulator_banner),
            processor: (!is_emulated).then(processor),
            cpus: machine.cpus,
            memory: machine.memory.0,
            machine: serde_json::to_value(machine).unwrap_or_default(),
            cmdline,
            words: machine.cmdline.clone(),
            protocol: agent_protocol::VERSION,
        })
    }

    /// Has `machine`, of which nothing is stated, be the one that was saved.
    pub fn lend_to(&self, machine: &mut Machine) {
        machine.cpus = self.cpus;
        machine.memory = crate::scenario::units::Size(self.memory);
        machine.cmdline.clone_from(&self.words);
    }

    /// How `wanted` differs from this one, if it does, in words.
    pub fn difference(&self, wanted: &Self) -> Option<String> {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
        let machines = || (self.machine.to_string(), wanted.machine.to_string());
        let kernel = |of: &Self| format!("{} with SHA-256 {}", of.release, of.kernel_sha256);
        let pairs = [
            ("kernel", kernel(self), kernel(wanted)),
            ("backend", self.backend.clone(), wanted.backend.clone()),
            ("QEMU", text(&self.emulator), text(&wanted.emulator)),
            ("processor of the host", text(&self.processor), text(&wanted.processor)),
            ("machine", machines().0, machines().1),
            ("command line", self.cmdline.clone(), wanted.cmdline.clone()),
            ("agent's protocol", self.protocol.to_string(), wanted.protocol.to_string()),
        ];
        let (what, saved, wanted) = pairs.into_iter().find(|(_, one, other)| one != other)?;
        Some(format!("its {what} is {saved}, and {wanted} is wanted"))
    }
}

/// What tells one kind of processor from another: its name, and its features.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let of = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key));
        line.and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value)
    };
    let mut hasher = DefaultHasher::new();
    of("flags").hash(&mut hasher);
    format!("{} (features {:016x})", of("model name"), hasher.finish())
}

#[cfg(test)]
pub(super) fn example() -> Identity {
    Identity {
        release: "7.3".into(),
        kernel: "debug".into(),
        kernel_sha256: "ab".into(),
        backend: "qemu-tcg".into(),
        emulator: Some("QEMU 7.2".into()),
        processor: None,
        cpus: 2,
        memory: 4096,
        machine: serde_json::json!({ "cpus": 2 }),
        cmdline: "quiet".into(),
        words: String::new(),
        protocol: 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_that_makes_a_guest_another_is_told() {
        let saved = example();
        assert_eq!(saved.difference(&saved), None);
        let told = |wanted: Identity| saved.difference(&wanted).unwrap();
        let other = |kernel: &str| Identity { kernel_sha256: kernel.into(), ..example() };
        assert!(told(other("cd")).starts_with("its kernel is 7.3 with SHA-256 ab"));
        let emulator = Some("QEMU 10".into());
        let words = told(Identity { emulator, ..example() });
        assert_eq!(words, "its QEMU is QEMU 7.2, and QEMU 10 is wanted");
        let processor = Some("P".into());
        assert!(
            told(Identity { processor, ..example() }).contains("processor of the host is none")
        );
        let machine = serde_json::json!({ "cpus": 1 });
        assert!(told(Identity { machine, ..example() }).contains("machine"));
        assert!(told(Identity { cmdline: "x".into(), ..example() }).contains("command line"));
        assert!(told(Identity { protocol: 4, ..example() }).contains("protocol"));
    }

    #[test]
    fn this_host_s_processor_has_a_name() {
        assert!(processor().contains("(features ") && processor() == processor());
    }
}
