//! Compressed kdump files, the form of makedumpfile, which crash and drgn open.
//!
//! Layout: makedumpfile's IMPLEMENTATION and diskdump_mod.h; QEMU's include/sysemu/dump.h. Blocks of one
//! page: a header, a sub-header with the notes, two bitmaps (which pages are memory, which are in the
//! file), a descriptor for each page in the file, then the pages, each compressed by itself.

mod bitmap;
mod codec;
mod header;
mod lzo;
mod memory;
mod write;

pub(super) use memory::open;
pub use write::write_kdump;

pub(super) const SIGNATURE: &[u8; 8] = b"KDUMP   ";
/// Bytes of a `struct page_desc`: offset, size, flags, page flags.
const DESCRIPTOR: usize = 24;
/// Bytes of `struct kdump_sub_header` of 64-bit architectures.
const SUB_HEADER: usize = 104;
/// Bytes of a field of `struct new_utsname`.
const NAME: usize = 65;
/// `DUMP_DH_COMPRESSED_ZLIB`, of the whole file and of a page.
const ZLIB: u32 = 1;
