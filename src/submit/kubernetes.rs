//! Kubernetes: an indexed Job, one index a part, and a Job that merges what they leave.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/job/>

use std::path::Path;

use serde_json::{Value, json};

use super::plan::Plan;

/// What the manifests need to know of the cluster.
pub struct Cluster {
    /// Image of the containers.
    pub image: String,
    /// Claim of the volume that the directory of the run is on.
    pub claim: String,
    /// Where containers see it.
    pub mount: String,
    /// Resource that gives a container the KVM device; absent for emulation.
    pub kvm: Option<String>,
    /// Name of the Job.
    pub name: String,
}

/// Times that a part is tried again where it fails for reasons of its own.
const RETRIES_OF_PART: u32 = 2;

/// How long the merging Job waits for the parts.
const PATIENCE: &str = "6h";

/// The Jobs as YAML documents.
///
/// # Errors
/// When they cannot be written as YAML, in words.
pub fn manifests(plan: &Plan, cluster: &Cluster) -> Result<String, String> {
    let yaml = |value: &Value| serde_saphyr::to_string(value).map_err(|error| error.to_string());
    Ok(format!("---\n{}---\n{}", yaml(&parts(plan, cluster))?, yaml(&merging(plan, cluster))?))
}

/// An exit code of 1 is a verdict on the kernel, and no reason to try again; a lost node is no
/// fault of the part.
fn parts(plan: &Plan, cluster: &Cluster) -> Value {
    let run = format!(
        "code=0; {} --run-dir {}/parts/\"$JOB_COMPLETION_INDEX.$HOSTNAME\" || code=$?; \
         [ \"$code\" -gt 2 ] && exit \"$code\"; exit 0",
        command(plan, cluster),
        quoted(&cluster.mount)
    );
    let environment = json!([{ "name": "KHARNESS_PARTITIONS", "value": plan.parts.to_string() }]);
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": cluster.name, "labels": { "app": "kharness" } },
        "spec": {
            "completionMode": "Indexed",
            "completions": plan.parts,
            "parallelism": plan.parts,
            "backoffLimitPerIndex": RETRIES_OF_PART,
            "podFailurePolicy": { "rules": [{
                "action": "Ignore",
                "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }],
            }] },
            "template": { "spec": pod(cluster, &run, &environment, true) },
        },
    })
}

fn merging(plan: &Plan, cluster: &Cluster) -> Value {
    let mount = quoted(&cluster.mount);
    let program = quoted(&seen(plan, cluster, &plan.program.display().to_string()));
    let run = format!(
        "exec {program} merge {mount}/parts --wait-for {} --wait {PATIENCE} \
         --output {mount}/results.json --history none",
        plan.parts
    );
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": format!("{}-merge", cluster.name), "labels": { "app": "kharness" } },
        "spec": {
            "backoffLimit": 0,
            "template": { "spec": pod(cluster, &run, &json!([]), false) },
        },
    })
}

fn pod(cluster: &Cluster, run: &str, environment: &Value, guests: bool) -> Value {
    let mut limits = serde_json::Map::new();
    if guests {
        limits.insert("cpu".into(), json!("2"));
        limits.insert("memory".into(), json!("4Gi"));
        limits.extend(cluster.kvm.iter().map(|resource| (resource.clone(), json!("1"))));
    }
    json!({
        "restartPolicy": "Never",
        "containers": [{
            "name": "kharness",
            "image": cluster.image,
            "command": ["sh", "-c", run],
            "env": environment,
            "resources": { "limits": limits },
            "volumeMounts": [{ "name": "run", "mountPath": cluster.mount }],
        }],
        "volumes": [
            { "name": "run", "persistentVolumeClaim": { "claimName": cluster.claim } },
        ],
    })
}

fn command(plan: &Plan, cluster: &Cluster) -> String {
    let program = plan.program.display().to_string();
    let words = [&program].into_iter().chain(&plan.words).map(|word| seen(plan, cluster, word));
    let words: Vec<String> = words.map(|word| quoted(&word)).collect();
    words.join(" ")
}

/// A path below the directory of the run as containers see it.
fn seen(plan: &Plan, cluster: &Cluster, word: &str) -> String {
    match Path::new(word).strip_prefix(&plan.dir) {
        Ok(below) => Path::new(&cluster.mount).join(below).display().to_string(),
        Err(_) => word.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}
