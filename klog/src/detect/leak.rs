//! What was never given back: `mm/kmemleak.c`, `lib/ref_tracker.c`, `net/core/dev.c`, `fs/super.c`, `fs/dcache.c`.

use super::text::{between, word};
use super::{Headline, Rank, Recipe};
use crate::Kind;

pub(super) fn detect(message: &str) -> Option<Headline> {
    kmemleak(message).or_else(|| net(message)).or_else(|| vfs(message))
}

fn leak(kind: &'static str, title: &str) -> Headline {
    Headline::new(Kind::new(kind), title).recipe(Recipe::Nobody)
}

/// `3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)`; an object as the debugfs file lists it.
fn kmemleak(message: &str) -> Option<Headline> {
    let count = word(message).bytes().all(|byte| byte.is_ascii_digit());
    if count && message.contains(" new suspected memory leak") {
        return Some(leak("leak.kmemleak", "memory leak"));
    }
    let object = message.starts_with("unreferenced object 0x");
    let lead = message == "BUG: memory leak";
    let rank = if lead { Rank::Lead } else { Rank::Main };
    (object || lead)
        .then(|| leak("leak.kmemleak", "memory leak").recipe(Recipe::Allocation).rank(rank))
}

/// `unregister_netdevice: waiting for lo to become free. Usage count = 2`, `ref_tracker: eth%d@… has 1/1 users at`.
fn net(message: &str) -> Option<Headline> {
    if let Some(device) = between(message, "unregister_netdevice: waiting for ", " to become free")
    {
        let device = device.trim_end_matches(|c: char| c.is_ascii_digit());
        let title = format!("unregister_netdevice: waiting for {device} to become free");
        return message.starts_with("unregister_netdevice").then(|| leak("leak.netdevice", &title));
    }
    let tracked = message.starts_with("ref_tracker: ") && message.contains(" users at");
    let leaked = message.starts_with("ref_tracker: ") && message.contains("leaked reference");
    (tracked || leaked).then(|| {
        leak("leak.ref-tracker", "ref_tracker: leaked reference")
            .recipe(Recipe::Allocation)
            .rank(Rank::Note)
    })
}

/// `VFS: Busy inodes after unmount of loop0 (ext4). Self-destruct in 5 seconds.`, `BUG: Dentry … still in use`.
fn vfs(message: &str) -> Option<Headline> {
    if message.starts_with("VFS: Busy inodes after unmount") {
        return Some(leak("leak.busy-inodes", "VFS: Busy inodes after unmount").rank(Rank::Lead));
    }
    if message.starts_with("VFS: Close: file count is ") {
        return Some(leak("leak.closed-file", "VFS: Close: file count is zero"));
    }
    let dentry = message.starts_with("BUG: Dentry ") && message.contains("still in use");
    dentry.then(|| leak("leak.dentry", "BUG: Dentry still in use").rank(Rank::Lead))
}
