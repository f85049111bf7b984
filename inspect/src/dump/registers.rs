//! Registers of one vCPU.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Address;

/// Registers of one vCPU by name, lower case.
///
/// x86-64: `rax` to `r15`, `rip`, `rflags`, `cs ds es fs gs ss` (selectors), `fs_base`, `gs_base`,
/// `cr0 cr2 cr3 cr4`. aarch64: `x0` to `x30`, `sp`, `pc`, `pstate`, `ttbr1_el1`, `tcr_el1`. A register
/// that the source of the dump does not give is absent; inspection says what it misses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Registers(BTreeMap<String, Address>);

impl Registers {
    /// The value of a register.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name).map(|value| value.0)
    }

    /// Sets a register. Names are taken in any case, `rfl` and `eflags` mean `rflags`, and `x07` means `x7`,
    /// as QEMU's monitor prints it.
    pub fn set(&mut self, name: &str, value: u64) {
        let name = match name.to_ascii_lowercase() {
            flags if flags == "rfl" || flags == "eflags" => "rflags".to_owned(),
            name => match name.strip_prefix("x0").filter(|digit| !digit.is_empty()) {
                Some(digit) => format!("x{digit}"),
                None => name,
            },
        };
        self.0.insert(name, Address(value));
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.0))
    }

    /// The program counter, whatever the architecture calls it.
    #[must_use]
    pub fn program_counter(&self) -> Option<u64> {
        self.get("rip").or_else(|| self.get("pc"))
    }

    /// Takes over what `other` knows and this one does not.
    pub(crate) fn complete_from(&mut self, other: Self) {
        for (name, value) in other.0 {
            self.0.entry(name).or_insert(value);
        }
    }
}

impl<N: AsRef<str>> FromIterator<(N, u64)> for Registers {
    fn from_iter<I: IntoIterator<Item = (N, u64)>>(pairs: I) -> Self {
        let mut registers = Self::default();
        for (name, value) in pairs {
            registers.set(name.as_ref(), value);
        }
        registers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_the_same_in_any_case() {
        let registers: Registers =
            [("RIP", 1), ("RFL", 2), ("X07", 3), ("X0", 4)].into_iter().collect();
        assert_eq!((registers.get("x7"), registers.get("x0")), (Some(3), Some(4)));
        assert_eq!(registers.get("rip"), Some(1));
        assert_eq!(registers.get("rflags"), Some(2));
        assert_eq!(registers.program_counter(), Some(1));
    }
}
