//! The probe against devices that are there, and that are not.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use vmm::kvm::{Probe, probe, probe_device};

fn no_kvm(path: &Path) -> String {
    match probe_device(path) {
        Probe::None { reason } => reason,
        other => panic!("{} is no KVM device, and yet: {other}", path.display()),
    }
}

#[test]
fn a_missing_device_is_none_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let reason = no_kvm(&dir.path().join("kvm"));
    assert!(reason.contains("is not there"), "{reason}");
    assert!(reason.contains("modprobe") || reason.contains("--device"), "{reason}");
}

#[test]
fn files_that_are_no_kvm_device_are_none() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for path in [file.path(), Path::new("/dev/null"), Path::new("/dev/zero")] {
        assert!(no_kvm(path).contains("is not a KVM device"));
    }
    assert!(no_kvm(Path::new("/proc")).contains("cannot open"));
}

#[test]
fn a_device_without_permission_is_none_with_the_command_that_gives_it() {
    const NOBODY: libc::uid_t = 65534;
    let device = tempfile::NamedTempFile::new().unwrap();
    device.as_file().set_permissions(PermissionsExt::from_mode(0o0)).unwrap();
    // SAFETY: changes, for this thread only, whose files it may open; root may open all.
    unsafe { libc::setfsuid(NOBODY) };
    let reason = no_kvm(device.path());
    assert!(reason.contains("sudo usermod -aG kvm"), "{reason}");
}

#[test]
fn the_answer_for_this_host_comes_soon_and_is_kept() {
    let start = Instant::now();
    let first = probe();
    assert!(start.elapsed() < Duration::from_secs(4));
    let again = Instant::now();
    assert_eq!(probe(), first);
    assert!(again.elapsed() < Duration::from_millis(50));
}

#[test]
fn a_probe_leaves_no_process_and_no_file_descriptor_behind() {
    let open_files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let children = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        tasks
            .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
            .collect::<String>()
    };
    let before = open_files();
    for _ in 0..5 {
        let _ = probe_device(Path::new("/dev/kvm"));
    }
    assert_eq!(open_files(), before);
    assert_eq!(children(), "");
}
