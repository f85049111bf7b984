//! What can go wrong with an access to guest memory.

/// Why guest memory could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// No RAM at this physical address.
    #[error("physical address {address:#x} ({length} bytes) is not in guest RAM")]
    Hole {
        /// Guest-physical address.
        address: u64,
        /// Bytes asked for.
        length: usize,
    },
    /// The page tables do not map this virtual address.
    #[error("virtual address {address:#x} is not mapped (no entry at page-table level {level})")]
    Unmapped {
        /// Virtual address.
        address: u64,
        /// Level whose entry is not present; 1 is the last table.
        level: u32,
    },
    /// The page table itself lies outside of guest RAM.
    #[error("the page table for {address:#x} points outside of guest RAM, to {table:#x}")]
    BadTable {
        /// Virtual address being translated.
        address: u64,
        /// Physical address of the table's entry.
        table: u64,
    },
    /// A string without an end.
    #[error("no NUL within {limit} bytes of {address:#x}: not a string")]
    Unterminated {
        /// Virtual address of the string.
        address: u64,
        /// Bytes looked at.
        limit: usize,
    },
    /// A segment that cannot be: outside of its file, or over another one.
    #[error("memory segment at {start:#x} ({length:#x} bytes): {reason}")]
    Segment {
        /// Guest-physical start.
        start: u64,
        /// Length in bytes.
        length: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A page that whoever wrote the dump left out.
    #[error("the page of physical address {address:#x} was left out of the dump")]
    LeftOut {
        /// Guest-physical address.
        address: u64,
    },
    /// A page that is damaged in the dump.
    #[error(
        "the page of physical address {address:#x}, at offset {offset:#x} of the file, is damaged: {reason}"
    )]
    Page {
        /// Guest-physical address.
        address: u64,
        /// Offset into the file.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The host failed to read the file that holds guest memory.
    #[error("cannot read {length} bytes at offset {offset:#x} of the memory file: {source}")]
    Io {
        /// Offset into the file.
        offset: u64,
        /// Bytes asked for.
        length: usize,
        /// The host's words.
        source: std::io::Error,
    },
}
