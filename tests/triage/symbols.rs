//! Source lines from a vmlinux and its modules. Both are small C files here, built as a kernel is: with debugging
//! information, a build ID and, for the module, relocatable.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const RELEASE: &str = "9.9.9-made-up";
const ID: &str = "0123456789abcdef0123456789abcdef01234567";

const KERNEL: &str = r#"
const char banner[] = "Linux version 9.9.9-made-up (builder)";
int start_kernel(void) { return 0; }
static inline __attribute__((always_inline)) int inner(volatile int *p)
{
	return *p;
}
__attribute__((noinline)) int outer(volatile int *p)
{
	return inner(p) + 1;
}
__attribute__((noinline)) int caller(volatile int *p)
{
	int x = outer(p);

	return x + 2;
}
"#;

const MODULE: &str = r#"
__attribute__((noinline)) int filler(int x) { return x * 3; }
__attribute__((section(".init.text"))) __attribute__((noinline)) int made_up_init(void) { return filler(7); }
"#;

struct Built {
    dir: tempfile::TempDir,
}

impl Built {
    fn new() -> Self {
        let built = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(built.path("init")).unwrap();
        fs::write(built.path("init/main.c"), KERNEL).unwrap();
        fs::write(built.path("made_up.c"), MODULE).unwrap();
        fs::write(built.path("modules.order"), "").unwrap();
        let id = format!("-Wl,--build-id=0x{ID}");
        built.gcc(&[
            "-nostdlib",
            "-static",
            "-Wl,-estart_kernel",
            &id,
            "-o",
            "vmlinux",
            "init/main.c",
        ]);
        built.gcc(&["-c", "-o", "made_up.ko", "made_up.c"]);
        built
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// By the path that a build has, so that it is cut off.
    fn gcc(&self, arguments: &[&str]) {
        let root = self.dir.path().canonicalize().unwrap();
        let sources: Vec<String> = arguments
            .iter()
            .map(|it| {
                if it.ends_with(".c") {
                    root.join(it).display().to_string()
                } else {
                    (*it).to_owned()
                }
            })
            .collect();
        let done = Command::new("gcc").args(["-g", "-O1"]).args(sources).current_dir(root).status();
        assert!(done.unwrap().success(), "these tests need gcc");
    }

    /// Size of a function, as `nm -S` prints it.
    fn size(&self, file: &str, function: &str) -> u64 {
        let output = Command::new("nm").arg("-S").arg(self.path(file)).output().unwrap();
        let listing = String::from_utf8(output.stdout).unwrap();
        let line = listing.lines().find(|line| line.ends_with(&format!(" {function}"))).unwrap();
        u64::from_str_radix(line.split(' ').nth(1).unwrap(), 16).unwrap()
    }

    /// An oops in `outer`, called by `caller`, called by the module. `padding` is what a kernel adds to sizes.
    fn log(&self, identity: &str, padding: u64) -> PathBuf {
        let outer = self.size("vmlinux", "outer") + padding;
        let caller = self.size("vmlinux", "caller");
        let module = self.size("made_up.ko", "made_up_init");
        let log = format!(
            "[    1.000000] BUG: kernel NULL pointer dereference, address: 0000000000000000\n\
             [    1.000000] Oops: Oops: 0000 [#1] SMP\n\
             [    1.000000] CPU: 0 UID: 0 PID: 7 Comm: a Not tainted {identity}\n\
             [    1.000000] RIP: 0010:outer+0x0/{outer:#x}\n\
             [    1.000000] Code: 90 90 <8b> 07 83 c0 01 c3\n\
             [    1.000000] Call Trace:\n\
             [    1.000000]  <TASK>\n\
             [    1.000000]  caller+{:#x}/{caller:#x}\n\
             [    1.000000]  made_up_init+{module:#x}/{module:#x} [made_up]\n\
             [    1.000000]  </TASK>\n\
             [    1.000000] ---[ end trace 0000000000000000 ]---\n",
            caller - 1
        );
        let path = self.path("console.log");
        fs::write(&path, log).unwrap();
        path
    }

    fn triage(&self, log: &Path, json: bool) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kharness"));
        command.arg("triage").arg("--vmlinux").arg(self.path("vmlinux"));
        let output = command.args(json.then_some("--json")).arg(log).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn report(&self, log: &Path) -> Value {
        let reports: Vec<Value> = serde_json::from_slice(&self.triage(log, true).stdout).unwrap();
        reports[0].clone()
    }
}

fn places(report: &Value) -> Vec<String> {
    let frames = report["frames"].as_array().unwrap();
    let place =
        |frame: &Value| format!("{} {}", frame["function"].as_str().unwrap(), frame["location"]);
    frames.iter().map(place).collect()
}

#[test]
fn frames_get_the_lines_of_the_kernel_and_of_its_modules() {
    let built = Built::new();
    let report = built.report(&built.log(&format!("{RELEASE} #1 {ID}"), 0));
    assert_eq!(report["symbols"], Value::Null);
    let found = places(&report);
    assert!(found[0].starts_with("caller \"init/main.c:1"), "{found:?}");
    let module = found.last().unwrap();
    assert!(module.starts_with("made_up_init") && module.contains("made_up.c:3"), "{found:?}");
}

#[test]
fn people_see_the_inlined_function_and_the_instruction() {
    let built = Built::new();
    let output = built.triage(&built.log(&format!("{RELEASE} #1"), 0), false);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["outer+0x0/", "init/main.c:6", "=>   +0: mov (%rdi),%eax"] {
        assert!(text.contains(part), "no {part} in:\n{text}");
    }
}

#[test]
fn the_padding_behind_a_function_is_part_of_the_size_that_a_kernel_prints() {
    let built = Built::new();
    // `caller` follows at once, so there is no room.
    let report = built.report(&built.log(&format!("{RELEASE} #1"), 0x1000));
    let why = report["symbols"].as_str().unwrap();
    assert!(why.contains("`outer`") && why.contains("another build"), "{why}");
}

#[test]
fn a_vmlinux_of_another_build_is_known_by_its_build_id() {
    let built = Built::new();
    let other = ID.replace('0', "f");
    let report = built.report(&built.log(&format!("{RELEASE} #1 {other}"), 0));
    let why = report["symbols"].as_str().unwrap();
    assert!(why.contains(&other) && why.contains(ID), "{why}");
    assert!(places(&report).iter().all(|place| place.ends_with(" null")), "{report}");
}

#[test]
fn a_vmlinux_of_another_release_is_known_by_that() {
    let built = Built::new();
    let report = built.report(&built.log("6.1.0 #1", 0));
    let why = report["symbols"].as_str().unwrap();
    assert!(why.contains("6.1.0") && why.contains(RELEASE), "{why}");
}

#[test]
fn a_file_that_is_no_vmlinux_is_refused_with_what_to_do() {
    let built = Built::new();
    let log = built.log("6.1.0 #1", 0);
    let mut command = Command::new(env!("CARGO_BIN_EXE_kharness"));
    let output = command.arg("triage").arg("--vmlinux").arg(&log).arg(&log).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("console.log") && told.contains("uncompressed vmlinux"), "{told}");
}
