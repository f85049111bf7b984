//! Scripts that run unpacked programs with the libraries that were unpacked beside them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::super::CacheError;

/// Writes `prefix`/bin/`name`, which runs `program`, a path below `prefix`, wherever the prefix is
/// moved to. bindgen finds libclang by `LIBCLANG_PATH`, QEMU its modules by
/// `QEMU_MODULE_DIR`; the others need no more than the loader.
pub(super) fn write_wrapper(prefix: &Path, name: &str, program: &str) -> Result<(), CacheError> {
    let script = format!(
        "#!/bin/sh\nP=${{0%/*}}/..\nexport LD_LIBRARY_PATH=\"$P/usr/lib/x86_64-linux-gnu\"\n\
         for D in \"$P\"/usr/lib/llvm-*/lib; do export LIBCLANG_PATH=\"$D\"; done\n\
         export QEMU_MODULE_DIR=\"$P/usr/lib/x86_64-linux-gnu/qemu\"\n\
         exec \"$P/{program}\" \"$@\"\n"
    );
    let bin = prefix.join("bin");
    let path = bin.join(name);
    fs::create_dir_all(&bin)
        .and_then(|()| fs::write(&path, script))
        .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
        .map_err(|e| CacheError::io(&path, e))
}
