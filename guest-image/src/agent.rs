//! The agent: PID 1 of every guest.

/// The agent as a statically linked ELF executable, for the architecture this crate is built for.
pub const BINARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kharness-agent"));

/// Names under which the agent is a workload program; each is a link in the guest's `/bin`.
pub const WORKLOADS: [&str; 4] = ["kh-forkstorm", "kh-hog", "kh-latency", "kh-spin"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_is_static() {
        let elf = goblin::elf::Elf::parse(BINARY).unwrap();
        assert_eq!(elf.interpreter, None);
        assert!(elf.libraries.is_empty());
    }

    #[test]
    fn the_agent_is_small() {
        assert!(BINARY.len() < 2 << 20, "{} bytes", BINARY.len());
    }
}
