//! No false red: a healthy kernel has nothing to report, boot after boot.

use crate::bench::{Bench, CLEAN};
use crate::machine::{Machine, on_machines};

on_machines! {
    clean_boots_have_no_reports: PC VIRT;
    what_a_kernel_prints_when_asked_is_no_report: PC VIRT;
}

/// Boots of the kernel in a row. `KHARNESS_CLEAN_BOOTS` sets how many: 3 by default, so that the
/// suite stays short, and 20 in CI.
fn boots() -> usize {
    std::env::var("KHARNESS_CLEAN_BOOTS").map_or(3, |count| count.parse().unwrap())
}

fn clean_boots_have_no_reports(on: &Machine) {
    let boots = boots();
    let bench = Bench::with("clean", &format!("repeat: {boots}\n{CLEAN}"));
    let outcome = bench.run(on.arguments());
    outcome.assert_code(0);
    let results = outcome.document["results"].as_array().unwrap();
    assert_eq!(results.len(), boots);
    for result in results {
        assert_eq!(result["status"], "pass", "{}", outcome.stderr);
        assert_eq!(result["reports"].as_array().unwrap().len(), 0, "{}", result["reports"]);
    }
}

fn what_a_kernel_prints_when_asked_is_no_report(on: &Machine) {
    let dumps = "machine: { cpus: 2, memory: 256MiB }\nsteps:\n  - shell: for key in l m q t w; do \
                 echo $key > /proc/sysrq-trigger; done\n";
    let bench = Bench::with("dumps", dumps);
    let outcome = bench.run(on.arguments());
    outcome.assert_code(0);
    let reports = &outcome.result("dumps")["reports"];
    assert_eq!(reports.as_array().unwrap().len(), 0, "{reports}");
}
