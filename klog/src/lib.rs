//! Console bytes to records, records to kernel reports; KTAP. Pure: no I/O.
#![forbid(unsafe_code)]
