//! What other tools need to open a dump.

use std::path::Path;

use super::{Error, Kernel};
use crate::dump::{VmcoreNotes, write_kdump, write_vmcore};

/// The page size that compressed kdump files are written for.
const KDUMP_PAGE: u64 = 4096;

impl Kernel {
    /// Writes the dump as a sparse ELF vmcore that drgn and crash open. Gives the bytes of memory written;
    /// everything else in the file is holes.
    ///
    /// # Errors
    /// When memory cannot be read or the file not written.
    pub fn export_vmcore(&self, path: &Path) -> Result<u64, Error> {
        Ok(write_vmcore(self.dump(), &self.vmcore_notes()?, path)?)
    }

    /// Writes the dump as a compressed kdump file, a fraction of the size of the ELF form. Gives its size
    /// in bytes.
    ///
    /// # Errors
    /// When memory cannot be read or the file not written; [`Error::Unsupported`] for a kernel whose pages
    /// are not 4 KiB.
    pub fn export_kdump(&self, path: &Path) -> Result<u64, Error> {
        if self.page_size() != KDUMP_PAGE {
            return Err(Error::Unsupported {
                what: "pages of 4 KiB, which the kdump format is written for here".to_owned(),
                advice: "take `--format elf`",
            });
        }
        Ok(write_kdump(self.dump(), &self.vmcore_notes()?, path)?)
    }

    fn vmcore_notes(&self) -> Result<VmcoreNotes, Error> {
        Ok(VmcoreNotes {
            vmcoreinfo: self.vmcoreinfo().text().to_owned(),
            page_offset: self.page_offset()?,
        })
    }
}
