//! Physical pages as the kernel addresses them: the direct map and the array of `struct page`.

use super::{Error, Kernel};
use crate::dump::Arch;
use crate::memory::PageTable;

/// Where x86-64 has the direct map and the page array without CONFIG_RANDOMIZE_MEMORY
/// (Documentation/arch/x86/x86_64/mm.rst), with four and with five levels.
const X86_DIRECT_MAP: [u64; 2] = [0xffff_8880_0000_0000, 0xff11_0000_0000_0000];
const X86_VMEMMAP: [u64; 2] = [0xffff_ea00_0000_0000, 0xffd4_0000_0000_0000];

impl Kernel {
    /// Bytes of a page.
    #[must_use]
    pub fn page_size(&self) -> u64 {
        let stated = self.vmcoreinfo().get("PAGESIZE").and_then(|size| size.parse().ok());
        stated.filter(|size: &u64| size.is_power_of_two()).unwrap_or(4096)
    }

    /// Virtual address of physical 0 in the direct map; on aarch64 of where it would be.
    ///
    /// # Errors
    /// When the kernel's variable cannot be read.
    pub fn page_offset(&self) -> Result<u64, Error> {
        match self.dump().arch {
            Arch::X86_64 => self.x86_base("page_offset_base", X86_DIRECT_MAP),
            Arch::Aarch64 => {
                // What the kernel was built for: where the CPU has fewer bits, `memstart_addr` makes up for
                // it (arch/arm64/mm/init.c).
                let stated = self.vmcoreinfo().number("VA_BITS");
                let va_bits =
                    match (stated.and_then(|it| u32::try_from(it).ok()), self.space().format()) {
                        (Some(stated), _) => stated,
                        (None, PageTable::Aarch64 { va_bits, .. }) => va_bits,
                        _ => return Ok(0),
                    };
                let start = u64::MAX << va_bits.min(63);
                Ok(start.wrapping_sub(self.global("memstart_addr", 8)?))
            }
        }
    }

    /// Address of the `struct page` of page frame 0, where the array is in one piece; on aarch64 of where it would be.
    pub(super) fn vmemmap(&self) -> Result<u64, Error> {
        match self.dump().arch {
            Arch::X86_64 => self.x86_base("vmemmap_base", X86_VMEMMAP),
            Arch::Aarch64 => {
                let stated = self.vmcoreinfo().number("VMEMMAP_START");
                let start = stated.ok_or_else(|| Error::Unsupported {
                    what: "VMEMMAP_START in VMCOREINFO".to_owned(),
                    advice: "kernels since 5.19 have it",
                })?;
                // Signed: a CPU with fewer address bits than the kernel was built for makes it negative.
                let first = self.global("memstart_addr", 8)?.cast_signed();
                let first = first >> self.page_size().trailing_zeros();
                let skipped = first.cast_unsigned().wrapping_mul(self.size_of("page")?);
                Ok(start.cast_unsigned().wrapping_sub(skipped))
            }
        }
    }

    fn x86_base(&self, symbol: &str, fixed: [u64; 2]) -> Result<u64, Error> {
        let five = self.space().format() == PageTable::X86 { levels: 5 };
        match self.symbols().find(symbol) {
            Some(at) => Ok(self.space().u64(at)?),
            None => Ok(fixed[usize::from(five)]),
        }
    }
}
