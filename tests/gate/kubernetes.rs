//! The manifests for Kubernetes, against its schema.

use std::fs;

use crate::documents::{Outcome, Place};
use crate::readers::{python, script};

#[test]
fn the_manifests_are_valid_and_run_every_part_once() {
    let Some(python) = python() else { return };
    let place = Place::new();
    fs::create_dir_all(place.path("scenarios/a")).unwrap();
    fs::write(place.path("scenarios/a/b.yaml"), "steps:\n  - run: [uname]\n").unwrap();
    let mut command = place.command();
    command.args(["submit", "kubernetes", "scenarios", "--parts", "8", "--dir", "shared"]);
    command.args([
        "--image",
        "example.org/kharness:1",
        "--claim",
        "results",
        "--",
        "--tags",
        "smoke",
    ]);
    let outcome = Outcome::of(&mut command);
    outcome.assert(0, &["completionMode: Indexed", "devices.kubevirt.io/kvm"]);
    let manifests = place.path("manifests.yaml");
    fs::write(&manifests, &outcome.stdout).unwrap();
    script(
        python,
        "import sys, yaml, kubernetes_validate\n\
         jobs = list(yaml.safe_load_all(open(sys.argv[1])))\n\
         [kubernetes_validate.validate(job, '1.33', strict=True) for job in jobs]\n\
         assert [job['kind'] for job in jobs] == ['Job', 'Job']\n\
         spec = jobs[0]['spec']\n\
         assert spec['completions'] == spec['parallelism'] == 8\n\
         run = spec['template']['spec']['containers'][0]\n\
         assert run['env'] == [{'name': 'KHARNESS_PARTITIONS', 'value': '8'}], run\n\
         assert 'scenarios --tags smoke --run-dir' in run['command'][2], run",
        &[&manifests],
    );
    // What travels is named after its content: nothing is stored twice.
    let before = fs::read_dir(place.path("shared/objects")).unwrap().count();
    Outcome::of(&mut command).assert(0, &[]);
    assert_eq!(fs::read_dir(place.path("shared/objects")).unwrap().count(), before);
}
