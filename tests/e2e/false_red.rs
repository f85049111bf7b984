//! No false red: a healthy kernel has nothing to report, boot after boot.

use crate::bench::{Bench, CLEAN};

/// Boots of the kernel in a row. `KHARNESS_CLEAN_BOOTS` sets how many: 3 by default, so that the
/// suite stays short, and 20 in CI.
fn boots() -> usize {
    std::env::var("KHARNESS_CLEAN_BOOTS").map_or(3, |count| count.parse().unwrap())
}

#[test]
fn clean_boots_have_no_reports() {
    let boots = boots();
    let bench = Bench::with("clean", &format!("repeat: {boots}\n{CLEAN}"));
    let outcome = bench.run::<&str>([]);
    outcome.assert_code(0);
    let results = outcome.document["results"].as_array().unwrap();
    assert_eq!(results.len(), boots);
    for result in results {
        assert_eq!(result["status"], "pass", "{}", outcome.stderr);
        assert_eq!(result["reports"].as_array().unwrap().len(), 0, "{}", result["reports"]);
    }
}

#[test]
fn what_a_kernel_prints_when_asked_is_no_report() {
    let dumps = "machine: { cpus: 2, memory: 256MiB }\nsteps:\n  - shell: for key in l m q t w; do \
                 echo $key > /proc/sysrq-trigger; done\n";
    let bench = Bench::with("dumps", dumps);
    let outcome = bench.run::<&str>([]);
    outcome.assert_code(0);
    let reports = &outcome.result("dumps")["reports"];
    assert_eq!(reports.as_array().unwrap().len(), 0, "{reports}");
}
