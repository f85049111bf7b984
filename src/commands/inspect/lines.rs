//! Source lines of stacks, from a vmlinux with debugging information.

use std::path::Path;

use inspect::stack::Frame;
use inspect::state::TaskStack;
use inspect::{Address, Kernel};

use super::tools::find_vmlinux;
use crate::error::Failure;
use crate::exit::Exit;
use crate::symbols::{Place, Symbols};

/// The source lines of one kernel in memory.
pub struct Lines {
    symbols: Symbols,
    /// What KASLR added to every address.
    offset: u64,
}

impl Lines {
    /// Opens the vmlinux at `path`, which must be of the build in memory.
    ///
    /// # Errors
    /// When it is of another build, or has no debugging information.
    pub fn open(kernel: &Kernel, path: &Path) -> Result<Self, Failure> {
        let path = find_vmlinux(kernel, Some(path))?;
        let symbols = Symbols::open(&path).map_err(|error| Failure::new(Exit::Usage, error))?;
        let offset = kernel.vmcoreinfo().get("KERNELOFFSET").unwrap_or("0");
        Ok(Self { symbols, offset: u64::from_str_radix(offset, 16).unwrap_or(0) })
    }

    /// Adds to every frame its line, and before it the functions that were inlined there.
    pub fn add_to(&self, entry: &mut TaskStack) {
        let Some(stack) = &mut entry.stack else { return };
        let frames = std::mem::take(&mut stack.frames);
        let innermost = frames.first().map(|frame| frame.address);
        stack.frames = frames.into_iter().flat_map(|frame| self.lines(frame, innermost)).collect();
    }

    /// The call is before the address that it returns to; the innermost frame is where the CPU was.
    fn lines(&self, frame: Frame, innermost: Option<Address>) -> Vec<Frame> {
        let back = u64::from(Some(frame.address) != innermost);
        let at = frame.address.0.wrapping_sub(back).wrapping_sub(self.offset);
        let Place::Lines(mut lines) = self.symbols.at(at) else { return vec![frame] };
        let outer = lines.pop().and_then(|(_, line)| line);
        let inlined = lines.into_iter().map(|(name, line)| Frame {
            address: frame.address,
            symbol: format!(
                "{name} (inlined{})",
                line.map_or_else(String::new, |it| format!(", {it}"))
            ),
        });
        let line = outer.map_or_else(String::new, |line| format!(" ({line})"));
        let own = Frame { symbol: format!("{}{line}", frame.symbol), ..frame };
        inlined.chain([own]).collect()
    }
}
