//! CPUs and per-CPU data.

use super::{Error, Kernel};

/// CPUs at most: NR_CPUS of distribution kernels is 8192.
const MAX_CPUS: u64 = 8192;

impl Kernel {
    /// Numbers of the CPUs that are online, as the kernel sees it.
    ///
    /// # Errors
    /// When the mask cannot be read.
    pub fn online_cpus(&self) -> Result<Vec<u32>, Error> {
        self.cpu_mask("__cpu_online_mask")
    }

    /// Numbers of all CPUs that have per-CPU data.
    ///
    /// # Errors
    /// When the mask cannot be read.
    pub fn possible_cpus(&self) -> Result<Vec<u32>, Error> {
        self.cpu_mask("__cpu_possible_mask")
    }

    fn cpu_mask(&self, symbol: &str) -> Result<Vec<u32>, Error> {
        // A kernel without SMP has no masks.
        let Some(mask) = self.symbols().find(symbol) else {
            return Ok(vec![0]);
        };
        self.mask_at(mask)
    }

    /// The CPUs in the `struct cpumask` at an address.
    pub(crate) fn mask_at(&self, mask: u64) -> Result<Vec<u32>, Error> {
        let count = match self.symbols().find("nr_cpu_ids") {
            Some(at) => u64::from(self.space().u32(at)?),
            None => self.size_of("cpumask")? * 8,
        };
        let count = count.clamp(1, MAX_CPUS);
        let words = count.div_ceil(64);
        let bytes = self.space().bytes(mask, crate::bytes::index(words * 8))?;
        Ok((0_u32..)
            .take(crate::bytes::index(count))
            .filter(|cpu| bytes[*cpu as usize / 8] >> (cpu % 8) & 1 != 0)
            .collect())
    }

    /// Address of CPU `cpu`'s copy of a per-CPU variable.
    ///
    /// # Errors
    /// [`Error::Symbol`], [`Error::Memory`].
    pub fn per_cpu(&self, symbol: &str, cpu: u32) -> Result<u64, Error> {
        self.per_cpu_pointer(self.symbols().address(symbol)?, cpu)
    }

    /// Address of CPU `cpu`'s copy of what a `__percpu` pointer means.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn per_cpu_pointer(&self, pointer: u64, cpu: u32) -> Result<u64, Error> {
        let Some(offsets) = self.symbols().find("__per_cpu_offset") else {
            return Ok(pointer);
        };
        let offset = self.space().u64(offsets.wrapping_add(8 * u64::from(cpu)))?;
        Ok(pointer.wrapping_add(offset))
    }
}
