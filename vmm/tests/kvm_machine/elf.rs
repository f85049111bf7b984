//! Small programs as kernel images.

use std::path::PathBuf;

/// Where programs are loaded and entered.
pub const CODE: u64 = 0x100_0000;
/// Where their data is loaded.
pub const DATA: u64 = 0x120_0000;

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;

/// An ELF executable: `code` at [`CODE`], `data` at [`DATA`]. With `pvh`, a note names its PVH entry.
pub fn image(code: &[u8], data: &[u8], pvh: bool) -> Vec<u8> {
    let mut parts = vec![(1u32, CODE, code.to_vec()), (1, DATA, data.to_vec())];
    if pvh {
        let mut note = Vec::new();
        for word in [4, 4, 18] {
            note.extend(u32::to_le_bytes(word));
        }
        note.extend(b"Xen\0");
        note.extend(u32::try_from(CODE).unwrap().to_le_bytes());
        parts.push((4, 0, note));
    }
    assemble(&parts)
}

/// An ELF executable with the build ID `id`.
#[allow(dead_code, reason = "the benchmarks share this file and need no build ID")]
pub fn with_build_id(code: &[u8], data: &[u8], id: &[u8]) -> Vec<u8> {
    let mut note = Vec::new();
    for word in [4, u32::try_from(id.len()).unwrap(), 3] {
        note.extend(word.to_le_bytes());
    }
    note.extend(b"GNU\0");
    note.extend(id);
    note.resize(note.len().next_multiple_of(4), 0);
    assemble(&[(1, CODE, code.to_vec()), (1, DATA, data.to_vec()), (4, 0, note)])
}

fn assemble(parts: &[(u32, u64, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[16] = 2; // executable
    bytes[18] = 62; // x86-64
    bytes[24..32].copy_from_slice(&CODE.to_le_bytes());
    bytes[32] = 64; // program headers follow
    bytes[54] = 56;
    bytes[56] = u8::try_from(parts.len()).unwrap();
    let mut offset = HEADER + parts.len() * PROGRAM_HEADER;
    for (kind, address, content) in parts {
        bytes.extend(kind.to_le_bytes());
        bytes.extend([0; 4]);
        let size = content.len() as u64;
        for word in [offset as u64, 0, *address, size, size.max(0x1000), 1] {
            bytes.extend(word.to_le_bytes());
        }
        offset += content.len();
    }
    parts.iter().for_each(|(_, _, content)| bytes.extend(content));
    bytes
}

/// Writes an image into `dir`.
pub fn write(dir: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join("vmlinux");
    std::fs::write(&path, bytes).unwrap();
    path
}
