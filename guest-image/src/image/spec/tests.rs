use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use agent_protocol::layout;
use cpio::newc::Reader;
use tempfile::TempDir;

use super::*;
use crate::kernel::ModuleError;

/// Name to mode and contents.
type Contents = BTreeMap<String, (u32, Vec<u8>)>;

fn contents(archive: &Path) -> Contents {
    let bytes = fs::read(archive).unwrap();
    let mut rest = &bytes[..];
    let mut entries = Contents::new();
    loop {
        let mut reader = Reader::new(rest).unwrap();
        if reader.entry().is_trailer() {
            return entries;
        }
        let mut data = Vec::new();
        reader.read_to_end(&mut data).unwrap();
        let entry = reader.entry();
        entries.insert(entry.name().to_owned(), (entry.mode(), data));
        rest = reader.finish().unwrap();
    }
}

fn build(spec: &ImageSpec) -> (TempDir, Result<Image, ImageError>) {
    let directory = tempfile::tempdir().unwrap();
    let image = spec.build(&directory.path().join("cache"), &directory.path().join("run"));
    (directory, image)
}

fn module(directory: &TempDir, name: &str) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, name).unwrap();
    path
}

#[test]
fn an_empty_spec_still_boots_an_agent_with_a_shell() {
    let (_directory, image) = build(&ImageSpec::default());
    let image = image.unwrap();
    assert_eq!(image.initramfs.len(), 1);
    let base = contents(&image.initramfs[0]);
    assert_eq!(base["init"].1, crate::agent::BINARY);
    assert_eq!(base["init"].0, 0o100_755);
    assert_eq!(base["dev/console"].0, 0o20_600);
    assert_eq!(base["bin/kh-hog"].1, b"/init");
    assert!(base.contains_key("bin/sh"));
    assert_eq!(base["kharness/boot-modules"].1, b"");
}

#[test]
fn modules_are_listed_in_the_order_given() {
    let host = tempfile::tempdir().unwrap();
    let spec = ImageSpec {
        boot_modules: vec![module(&host, "z.ko"), module(&host, "a.ko")],
        modules: vec![Module {
            name: "my-test".into(),
            files: vec![module(&host, "z.ko"), module(&host, "my-test.ko")],
        }],
        ..ImageSpec::default()
    };
    let (_directory, image) = build(&spec);
    let image = image.unwrap();
    let base = contents(&image.initramfs[0]);
    let list = &base[&layout::BOOT_MODULES[1..]].1;
    assert_eq!(list, b"/lib/modules/z.ko\n/lib/modules/a.ko\n");
    assert_eq!(base["lib/modules/z.ko"].1, b"z.ko");
    let overlay = contents(&image.initramfs[1]);
    let index = &overlay[&layout::MODULE_INDEX[1..]].1;
    let index: layout::ModuleIndex = serde_json::from_slice(index).unwrap();
    assert_eq!(index["my_test"], ["/lib/modules/z.ko", "/lib/modules/my_test.ko"]);
}

#[test]
fn the_base_is_shared_and_the_overlay_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let build = |text: &str, run: &str| {
        let spec = ImageSpec {
            files: vec![GuestFile {
                path: "/etc/text".into(),
                mode: Some(0o600),
                source: Source::Bytes(text.into()),
            }],
            ..ImageSpec::default()
        };
        spec.build(&directory.path().join("cache"), &directory.path().join(run)).unwrap()
    };
    let (one, two) = (build("one", "1"), build("two", "2"));
    assert_eq!(one.initramfs[0], two.initramfs[0]);
    assert_eq!(contents(&one.initramfs[1])["etc/text"], (0o100_600, b"one".to_vec()));
    assert_eq!(contents(&two.initramfs[1])["etc/text"], (0o100_600, b"two".to_vec()));
    let left: Vec<_> = fs::read_dir(directory.path().join("cache")).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing but the base: {left:?}");
}

#[test]
fn directories_are_copied_whole() {
    let host = tempfile::tempdir().unwrap();
    fs::create_dir(host.path().join("sub")).unwrap();
    fs::write(host.path().join("sub/file"), "x").unwrap();
    std::os::unix::fs::symlink("sub/file", host.path().join("link")).unwrap();
    let spec = ImageSpec {
        files: vec![GuestFile {
            path: "/data".into(),
            mode: None,
            source: Source::Host(host.path().into()),
        }],
        ..ImageSpec::default()
    };
    let (_directory, image) = build(&spec);
    let overlay = contents(&image.unwrap().initramfs[1]);
    assert_eq!(overlay["data/sub/file"].1, b"x");
    assert_eq!(overlay["data/link"].1, b"sub/file");
}

#[test]
fn what_is_not_there_is_named() {
    let missing = PathBuf::from("/nonexistent/module.ko");
    let spec = ImageSpec { boot_modules: vec![missing.clone()], ..ImageSpec::default() };
    let (_directory, result) = build(&spec);
    assert!(
        matches!(result, Err(ImageError::Module(ModuleError::Unreadable { path, .. })) if path == missing)
    );
    let spec = ImageSpec { programs: vec!["no-such-program".into()], ..ImageSpec::default() };
    let (_directory, result) = build(&spec);
    let message = result.unwrap_err().to_string();
    assert!(message.contains("\"no-such-program\" is not on this host"), "{message}");
    assert!(message.contains("apt-get install"), "{message}");
}

#[test]
fn a_device_is_not_read() {
    let spec = ImageSpec {
        files: vec![GuestFile {
            path: "/zero".into(),
            mode: None,
            source: Source::Host("/dev/zero".into()),
        }],
        ..ImageSpec::default()
    };
    let (_directory, result) = build(&spec);
    assert!(matches!(result, Err(ImageError::Special { .. })));
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let result = ImageSpec::default().build("/proc/cache".as_ref(), "/proc/run".as_ref());
    assert!(
        matches!(result, Err(ImageError::Write { path, .. }) if path.starts_with("/proc/cache"))
    );
}

#[test]
fn compressed_modules_are_put_in_as_the_kernel_takes_them() {
    let host = tempfile::tempdir().unwrap();
    let file = host.path().join("test.ko.zst");
    let level = zstd::DEFAULT_COMPRESSION_LEVEL;
    fs::write(&file, zstd::bulk::compress(b"module", level).unwrap()).unwrap();
    let spec = ImageSpec { boot_modules: vec![file], ..ImageSpec::default() };
    let (_directory, image) = build(&spec);
    let base = contents(&image.unwrap().initramfs[0]);
    assert_eq!(base["lib/modules/test.ko"].1, b"module");
}

#[test]
fn specs_join_unless_they_put_different_things_in_one_place() {
    let file = |bytes: &[u8]| GuestFile {
        path: "/etc/motd".into(),
        mode: None,
        source: Source::Bytes(bytes.to_vec()),
    };
    let spec = |programs: &[&str], files: Vec<GuestFile>| ImageSpec {
        programs: programs.iter().map(ToString::to_string).collect(),
        files,
        ..ImageSpec::default()
    };
    let one = spec(&["ls", "cat"], vec![file(b"hello")]);
    let joined = one.join(&spec(&["cat", "dd"], Vec::new())).unwrap();
    assert_eq!(joined, spec(&["ls", "cat", "dd"], vec![file(b"hello")]));
    assert_eq!(one.join(&one), Some(one.clone()));
    assert_eq!(one.join(&spec(&[], vec![file(b"goodbye")])), None);
}
