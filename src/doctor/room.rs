//! Disk and memory.

use std::fs;
use std::path::Path;

use guest_image::kernel::Cache;

use super::check::Check;
use crate::host::available_memory;
use crate::scenario::units::Size;

/// A build of the `debug` profile takes about this much.
const ROOM_TO_BUILD: u64 = 10 << 30;

/// A distribution's kernel, and the images and results of some runs.
const ROOM_TO_RUN: u64 = 1 << 30;

/// The guest of a scenario that asks for nothing special, and the harness.
const MEMORY_TO_RUN: u64 = 768 << 20;

/// Cache and memory.
pub fn checks() -> Vec<Check> {
    vec![cache(), memory()]
}

fn cache() -> Check {
    let cache = match Cache::open() {
        Ok(cache) => cache,
        Err(error) => return Check::broken("cache", error.to_string(), "set XDG_CACHE_HOME"),
    };
    let root = cache.root();
    let kernels = match cache.entries() {
        Ok(kernels) => kernels,
        Err(error) => return Check::broken("cache", error.to_string(), "see the message"),
    };
    if let Err(error) = writable(root) {
        let found = format!("{} cannot be written: {error}", root.display());
        return Check::broken("cache", found, "give yourself the directory, or set XDG_CACHE_HOME");
    }
    let names: Vec<&str> = kernels.iter().map(|kernel| kernel.alias.as_str()).collect();
    let names = if names.is_empty() { "no kernel".into() } else { names.join(", ") };
    room(&format!("{} ({names})", root.display()), free(root))
}

fn writable(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    let probe = dir.join(format!(".doctor.{}", std::process::id()));
    fs::write(&probe, "x").and_then(|()| fs::remove_file(&probe))
}

/// Free bytes on the file system that `path` is on; none when the host does not tell.
fn free(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

fn room(place: &str, free: Option<u64>) -> Check {
    let Some(free) = free else { return Check::good("cache", place) };
    let found = format!("{place}, {} free", rounded(free));
    match free {
        0..ROOM_TO_RUN => Check::broken("cache", found, "kharness kernel rm, or free some space"),
        ROOM_TO_RUN..ROOM_TO_BUILD => {
            let fix = "runs work; to build a kernel, free some space".to_owned();
            Check::limited("cache", found, fix)
        }
        _ => Check::good("cache", found),
    }
}

fn memory() -> Check {
    match available_memory() {
        None => Check::good("memory", "not known"),
        Some(bytes) if bytes < MEMORY_TO_RUN => Check::broken(
            "memory",
            format!("{} available", rounded(bytes)),
            "end other programs, or give guests less with `machine.memory`",
        ),
        Some(bytes) => Check::good("memory", format!("{} available", rounded(bytes))),
    }
}

/// To whole MiB: nobody needs it more precisely.
fn rounded(bytes: u64) -> Size {
    Size::mebibytes(bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn too_little_room_is_told_apart_by_what_it_is_too_little_for() {
        assert_eq!(room("here", Some(1 << 20)).state, State::Broken);
        assert_eq!(room("here", Some(2 << 30)).state, State::Limited);
        assert_eq!(room("here", Some(1 << 40)).state, State::Good);
    }
}
