//! Debian's static busybox for another architecture.

use std::fs;
use std::path::PathBuf;

use super::ForeignError;
use super::applets::applets;
use crate::kernel::debian::Apt;
use crate::kernel::{Arch, Cache, Progress};

const PACKAGE: &str = "busybox-static";

/// Where Debian's releases put it.
const PLACES: [&str; 2] = ["bin/busybox", "usr/bin/busybox"];

/// Room for the lists of packages and the package, in bytes.
const ROOM: u64 = 200 << 20;

/// busybox for `arch`, fetched when `cache` has none.
pub(super) fn find_or_fetch(
    arch: Arch,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<PathBuf, ForeignError> {
    let name = format!("busybox-{arch}");
    let dir = cache.root().join("programs").join(&name);
    let _lock = cache.lock(&name, progress)?;
    if !dir.is_dir() {
        cache.expect_room(ROOM)?;
        let apt = Apt::new(cache, arch)?;
        if apt.field(PACKAGE, "Version")?.is_none() {
            apt.update(progress)?;
        }
        let staging = cache.stage()?;
        apt.unpack(&[PACKAGE], staging.path(), progress)?;
        cache.place(staging, "programs", &name)?;
    }
    let found = PLACES.into_iter().map(|place| dir.join(place)).find(|path| path.is_file());
    let path = found.ok_or(ForeignError::Busybox {
        path: dir,
        reason: "Debian's busybox-static has no busybox: remove this directory and try again",
    })?;
    let bytes = fs::read(&path).map_err(|e| ForeignError::io(&path, e))?;
    match applets(&bytes).is_empty() {
        true => Err(ForeignError::Busybox { path, reason: "no list of commands is in it" }),
        false => Ok(path),
    }
}
