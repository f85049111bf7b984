use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use cpio::newc::Reader;
use proptest::prelude::*;

use super::*;

fn sample() -> Archive {
    let mut archive = Archive::new();
    archive.file("/init", 0o755, b"program".to_vec()).unwrap();
    archive.directory("/tmp", 0o1777).unwrap();
    archive.symlink("/bin/sh", "busybox").unwrap();
    archive.file("/a/b/c", 0o640, Vec::new()).unwrap();
    archive
}

/// Name to mode and contents, in the order of the archive.
fn read(mut bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
    let mut entries = Vec::new();
    loop {
        let mut reader = Reader::new(bytes).unwrap();
        if reader.entry().is_trailer() {
            return entries;
        }
        let mut contents = Vec::new();
        reader.read_to_end(&mut contents).unwrap();
        let entry = reader.entry();
        entries.push((entry.name().to_owned(), entry.mode(), contents));
        bytes = reader.finish().unwrap();
    }
}

#[test]
fn entries_are_sorted_and_parents_come_first() {
    let entries = read(&sample().to_bytes());
    let names: Vec<&str> = entries.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["a", "a/b", "a/b/c", "bin", "bin/sh", "init", "tmp"]);
}

#[test]
fn modes_hold_type_and_permissions() {
    let modes: BTreeMap<String, u32> =
        read(&sample().to_bytes()).into_iter().map(|(name, mode, _)| (name, mode)).collect();
    assert_eq!(modes["tmp"], 0o41777);
    assert_eq!(modes["bin"], 0o40755);
    assert_eq!(modes["init"], 0o100_755);
    assert_eq!(modes["bin/sh"], 0o120_777);
}

#[test]
fn the_order_of_adding_does_not_show() {
    let mut other = Archive::new();
    other.file("/a/b/c", 0o640, Vec::new()).unwrap();
    other.symlink("/bin/sh", "busybox").unwrap();
    other.directory("/tmp", 0o1777).unwrap();
    other.file("/init", 0o755, b"program".to_vec()).unwrap();
    assert_eq!(sample().to_bytes(), other.to_bytes());
}

#[test]
fn another_archive_may_follow() {
    assert_eq!(sample().to_bytes().len() % 4, 0);
}

#[test]
fn the_same_file_twice_is_one_and_another_is_a_conflict() {
    let mut archive = sample();
    archive.file("/init", 0o755, b"program".to_vec()).unwrap();
    let error = archive.file("/init", 0o755, b"other".to_vec()).unwrap_err();
    assert!(matches!(error, ArchiveError::Conflict { path } if path == "/init"));
    let error = archive.file("/init/x", 0o755, Vec::new()).unwrap_err();
    assert!(matches!(error, ArchiveError::Conflict { path } if path == "/init"));
}

#[test]
fn paths_that_leave_the_guest_are_refused() {
    let mut archive = Archive::new();
    for path in ["", "/", "init", "/a/../b", "/./a", "/a//b", "/a/", "/a\0b"] {
        let result = archive.file(path, 0o644, Vec::new());
        assert!(matches!(result, Err(ArchiveError::BadPath { .. })), "{path:?}");
    }
}

#[test]
fn cpio_unpacks_what_was_packed() {
    let directory = tempfile::tempdir().unwrap();
    let mut cpio = match Command::new("cpio")
        .args(["-idm", "--quiet", "--no-absolute-filenames"])
        .current_dir(&directory)
        .stdin(Stdio::piped())
        .spawn()
    {
        Ok(cpio) => cpio,
        Err(error) => return eprintln!("not compared with cpio(1): {error}"),
    };
    sample().write(cpio.stdin.take().unwrap()).unwrap();
    assert!(cpio.wait().unwrap().success());
    let path = |name: &str| directory.path().join(name);
    assert_eq!(fs::read(path("init")).unwrap(), b"program");
    assert_eq!(fs::read_link(path("bin/sh")).unwrap().to_str(), Some("busybox"));
    let mode = fs::metadata(path("init")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
}

proptest! {
    #[test]
    fn whatever_goes_in_comes_out(
        files in proptest::collection::btree_map(
            "(/[a-z.]{1,3}x){1,3}",
            (0_u32..0o10000, proptest::collection::vec(any::<u8>(), 0..50)),
            0..20,
        )
    ) {
        let mut archive = Archive::new();
        let mut expected = BTreeMap::new();
        for (path, (mode, contents)) in files {
            // A file where another needs a directory is a conflict, and is not in the archive.
            if archive.file(&path, mode, contents.clone()).is_ok() {
                expected.insert(path[1..].to_owned(), (0o100_000 | mode, contents));
            }
        }
        let files = read(&archive.to_bytes()).into_iter().filter(|(_, mode, _)| mode >> 12 == 0o10);
        let found: BTreeMap<_, _> = files.map(|(name, mode, contents)| (name, (mode, contents))).collect();
        prop_assert_eq!(found, expected);
    }
}
