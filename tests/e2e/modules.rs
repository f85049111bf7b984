//! Test modules that are wrong: each way has a status and words of its own.

use std::path::PathBuf;
use std::process::Command;

use crate::bench::{Bench, KHARNESS, text};
use crate::project::{bare, file, has_kernel, loads, module, run, suite};

/// Has Rust, and is there after `./dev setup`.
const KERNEL: &str = "debug";

/// The status and the cause of a project with the one module `kh_it`.
fn outcome(source: &str) -> Option<(String, String, Bench)> {
    if !has_kernel(KERNEL) {
        return None;
    }
    let bench = Bench::with("it", &loads("kh_it"));
    module(&bench, "kh_it", source);
    let outcome = run(&bench, KERNEL);
    let result = outcome.result("it");
    let told = (text(result, "status").to_owned(), text(result, "cause").to_owned());
    Some((told.0, told.1, bench))
}

#[test]
fn a_compile_error_comes_through_as_the_compiler_said_it() {
    if !has_kernel(KERNEL) {
        return;
    }
    let bench = Bench::with("it", &loads("kh_it"));
    module(&bench, "kh_it", &suite("kh_it", "    let n: u32 = \"text\";\n    check_eq!(n, 1);"));
    let outcome = run(&bench, KERNEL);
    outcome.assert_code(3);
    let result = outcome.result("it");
    assert_eq!(text(result, "status"), "error");
    let place = bench.path("modules/kh_it/kh_it.rs:14:18");
    let cause = format!(
        "module kh_it does not compile: {}: error[E0308]: mismatched types",
        place.display()
    );
    assert_eq!(text(result, "cause"), cause);
    outcome.assert_told(&["let n: u32 = \"text\";", "expected `u32`, found `&str`"]);
}

#[test]
fn a_symbol_that_the_kernel_does_not_export_is_named() {
    let source = suite(
        "kh_it",
        "    extern \"C\" {\n        fn kh_no_such_symbol();\n    }\n    // SAFETY: it is not there.\n    unsafe { kh_no_such_symbol() };",
    );
    let Some((status, cause, _)) = outcome(&source) else { return };
    assert_eq!(status, "error");
    assert!(cause.contains("does not export to modules: kh_no_such_symbol"), "{cause}");
}

#[test]
fn an_init_that_returns_an_error_is_told_apart_from_the_loader_s_refusals() {
    let Some((status, cause, _)) = outcome(&bare("kh_it", "        Err(ENODEV)", "")) else {
        return;
    };
    assert_eq!(status, "fail");
    assert!(cause.contains("No such device"), "{cause}");
    assert!(cause.contains("the module's own init returned this"), "{cause}");
}

#[test]
fn an_init_that_oopses_is_a_crash() {
    let init = "        // SAFETY: it is not.\n        unsafe { core::ptr::without_provenance_mut::<u8>(8).write_volatile(1) };\n        Ok(Self)";
    let Some((status, cause, _)) = outcome(&bare("kh_it", init, "")) else { return };
    assert_eq!(status, "crash", "{cause}");
    assert!(cause.contains("kernel report oops") && cause.contains("in step kh_it"), "{cause}");
}

#[test]
fn an_exit_that_does_not_return_is_a_timeout() {
    let exit =
        "        // SAFETY: sleeps.\n        unsafe { kernel::bindings::msleep(3_600_000) };";
    let Some((status, cause, bench)) = outcome(&bare("kh_it", "        Ok(Self)", exit)) else {
        return;
    };
    assert_eq!(status, "timeout");
    assert!(cause.contains("in step unload-kh_it"), "{cause}");
    drop(bench);
}

#[test]
fn a_plan_that_is_not_kept_is_a_failure() {
    let said = |lines: &str| {
        let prints: String = lines
            .lines()
            .map(|line| format!("        kernel::pr_cont!(\"\\n{line}\\n\");\n"))
            .collect();
        bare("kh_it", &format!("{prints}        Ok(Self)"), "")
    };
    let few = said("KTAP version 1\n1..2\nok 1 a");
    let Some((status, cause, _)) = outcome(&few) else { return };
    assert_eq!((status.as_str(), cause.contains("1 of 2 tests ended")), ("fail", true), "{cause}");
    let many = said("KTAP version 1\n1..1\nok 1 a\nok 2 b");
    let Some((status, cause, _)) = outcome(&many) else { return };
    let words = "the plan promised 1 tests, and 2 reported";
    assert_eq!((status.as_str(), cause.contains(words)), ("fail", true), "{cause}");
}

#[test]
fn a_module_for_another_kernel_is_refused_with_both_kernels_named() {
    if !has_kernel(KERNEL) {
        return;
    }
    let bench = Bench::with("it", &loads("../kh_it.ko"));
    module(&bench, "kh_it", &suite("kh_it", ""));
    let mut build = Command::new(KHARNESS);
    build.args(["module", "build", "kh_it", "-k", KERNEL]);
    let built = bench.in_place(&mut build).output().unwrap();
    let told = String::from_utf8(built.stdout).unwrap();
    let ko = PathBuf::from(told.trim().rsplit(": ").next().unwrap());
    std::fs::copy(ko, bench.path("kh_it.ko")).unwrap();
    let outcome = run(&bench, "debian");
    let result = outcome.result("it");
    assert_eq!(text(result, "status"), "error");
    let cause = text(result, "cause");
    let debian = text(&outcome.document["kernels"][0], "release");
    let words = ["-kharness-debug (its version magic)", &format!("this kernel is {debian}")];
    assert!(words.iter().all(|word| cause.contains(word)), "{cause}");
}

#[test]
fn a_failed_test_a_typing_error_in_a_parameter_and_a_clean_one_are_told_apart() {
    if !has_kernel(KERNEL) {
        return;
    }
    let bench = Bench::with("good", &loads("kh_good"));
    bench.scenario("bad", &loads("kh_bad"));
    let typed = loads("{name: kh_good, params: {tset: it}}");
    bench.scenario("typed", &typed);
    module(&bench, "kh_good", &suite("kh_good", "    check_eq!(2 + 2, 4);"));
    module(&bench, "kh_bad", &suite("kh_bad", "    check_eq!(2 + 2, 5);"));
    let outcome = run(&bench, KERNEL);
    outcome.assert_code(1);
    assert_eq!(text(outcome.result("good"), "status"), "pass");
    assert_eq!(text(&outcome.result("good")["ktap"][0], "name"), "kh_good.it");
    let bad = outcome.result("bad");
    assert_eq!(text(bad, "status"), "fail");
    let cause = text(bad, "cause");
    for words in ["test kh_bad.it is not ok", "kh_bad.rs:14", "left: 4", "right: 5"] {
        assert!(cause.contains(words), "{words}: {cause}");
    }
    assert!(text(outcome.result("typed"), "cause").contains("unknown parameter 'tset' ignored"));
}

#[test]
fn a_module_is_built_again_only_when_something_changed() {
    if !has_kernel(KERNEL) {
        return;
    }
    let bench = Bench::new();
    let unique = format!("    check_ne!({}, 0);", std::process::id());
    module(&bench, "kh_it", &suite("kh_it", &unique));
    let build = || {
        let mut build = Command::new(KHARNESS);
        build.args(["module", "build", "-k", KERNEL]);
        let output = bench.in_place(&mut build).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(build().starts_with("kh_it: built: "));
    assert!(build().starts_with("kh_it: up to date: "));
    module(&bench, "kh_it", &suite("kh_it", &format!("{unique}\n    // changed")));
    assert!(build().starts_with("kh_it: built: "));
}

#[test]
fn a_module_in_c_with_a_build_file_of_its_own_is_built_loaded_and_unloaded() {
    if !has_kernel(KERNEL) {
        return;
    }
    let bench = Bench::with(
        "it",
        &format!(
            "{}  - console: kh_c says hello\n",
            loads("kh_c").replace("expect: ['true']", "expect:")
        ),
    );
    file(&bench.path("modules/kh_c/Kbuild"), "obj-m := kh_c.o\n");
    file(
        &bench.path("modules/kh_c/kh_c.c"),
        "#include <linux/module.h>\n\
         static int __init start(void) { pr_info(\"kh_c says hello\\n\"); return 0; }\n\
         static void __exit stop(void) { }\n\
         module_init(start);\nmodule_exit(stop);\nMODULE_LICENSE(\"GPL\");\n\
         MODULE_DESCRIPTION(\"A test\");\n",
    );
    let outcome = run(&bench, KERNEL);
    outcome.assert_code(0);
    let steps = outcome.result("it")["steps"].as_array().unwrap().clone();
    let ids: Vec<_> = steps.iter().map(|step| text(step, "id")).collect();
    assert_eq!(ids, ["kh_c", "unload-kh_c"]);
}

#[test]
fn a_test_stops_at_a_checkpoint_until_it_is_released() {
    if !has_kernel(KERNEL) {
        return;
    }
    let bench = Bench::with(
        "it",
        "machine: { memory: 256MiB }\n\
         modules: [{name: kh_it, params: {background: 1}}]\n\
         steps:\n\
         \x20 - checkpoint: half way\n\
         \x20 - sleep: 1s\n\
         \x20 - id: held\n\
         \x20   shell: dmesg | grep -c 'half way passed' || true\n\
         \x20   expect: [{stdout: '^0$'}]\n\
         \x20 - release: half way\n\
         \x20 - wait_for: {console: half way passed}\n",
    );
    module(&bench, "kh_it", &suite("kh_it", "    checkpoint(\"half way\")?;"));
    let outcome = run(&bench, KERNEL);
    outcome.assert_code(0);
    assert_eq!(text(&outcome.result("it")["ktap"][0], "status"), "pass");
}
