//! What other tools need to open a dump.

use std::path::Path;

use super::{Error, Kernel};
use crate::dump::{VmcoreNotes, write_vmcore};

impl Kernel {
    /// Writes the dump as a sparse ELF vmcore that drgn and crash open. Gives the bytes of memory written;
    /// everything else in the file is holes.
    ///
    /// # Errors
    /// When memory cannot be read or the file not written.
    pub fn export_vmcore(&self, path: &Path) -> Result<u64, Error> {
        let notes = VmcoreNotes {
            vmcoreinfo: self.vmcoreinfo().text().to_owned(),
            page_offset: self.page_offset()?,
        };
        Ok(write_vmcore(self.dump(), &notes, path)?)
    }
}
