//! Cells of a matrix, on real guests.

use serde_json::json;

use crate::bench::{Bench, text};

#[test]
fn each_cell_boots_the_machine_that_it_names_and_cells_with_the_same_machine_share_a_boot() {
    let bench = Bench::with(
        "cells",
        "machine: { memory: 256MiB }\nmodules: [{ name: dummy, params: { numdummies: 1 } }]\nmatrix:\n  \
         kernel: [/nonexistent]\n  cpus: [1, 2]\n  params: { dummy.numdummies: [1, 3] }\n  \
         exclude: [{ cpus: 2, params: { dummy.numdummies: 3 } }]\nsteps:\n  - id: cpus\n    run: [nproc]\n  \
         - id: links\n    shell: ls -d /sys/class/net/dummy* | wc -l\n",
    );
    let kernel = std::env::var("KHARNESS_KERNEL").unwrap_or_else(|_| "debian".into());
    let outcome = bench.run(["-k", &kernel, "--no-canary"]);
    outcome.assert_code(0);
    let results = outcome.document["results"].as_array().unwrap();
    let told: Vec<_> = results
        .iter()
        .map(|result| {
            let steps = result["steps"].as_array().unwrap();
            let step = |id: &str| steps.iter().find(|step| step["id"] == id).unwrap();
            let out = |id: &str| text(step(id), "stdout").trim().to_owned();
            let forked = result["attempts"][0]["forked"] == true;
            (text(result, "id").to_owned(), out("cpus"), out("links"), forked)
        })
        .collect();
    let row = |id: &str, cpus: &str, links: &str, forked| {
        (id.to_owned(), cpus.to_owned(), links.to_owned(), forked)
    };
    assert_eq!(
        told,
        [
            row("cells[cpus=1,dummy.numdummies=1]", "1", "1", true),
            row("cells[cpus=1,dummy.numdummies=3]", "1", "3", true),
            row("cells[cpus=2,dummy.numdummies=1]", "2", "1", false),
        ]
    );
    assert_eq!(results[1]["cell"], json!({"cpus": "1", "dummy.numdummies": "3"}));
    let words = shlex::split(text(&results[1], "repro")).unwrap();
    assert!(words.contains(&"cpus=1,dummy.numdummies=3".to_owned()), "{words:?}");
    let one = bench.run(&words[3..]);
    assert_eq!(one.assert_code(0).document["results"].as_array().unwrap().len(), 1);
}
