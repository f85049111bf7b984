//! What the image's builder and the agent agree on: files in the image and words on the kernel
//! command line.

use std::collections::BTreeMap;

/// Lists the modules to load before anything else, dependencies first: one absolute path a line.
/// It holds what the control channel needs where the kernel has that as modules.
pub const BOOT_MODULES: &str = "/kharness/boot-modules";

/// A [`ModuleIndex`] as JSON.
pub const MODULE_INDEX: &str = "/kharness/modules.json";

/// Module name, with `_` for `-`, to the files to load for it: dependencies first, itself last;
/// none if it is built into the kernel.
pub type ModuleIndex = BTreeMap<String, Vec<String>>;

/// Word on the kernel command line that names the device below `/dev` of the control channel,
/// as in `kharness.control=ttyS1`, on machines without virtio-serial.
pub const CONTROL_ARGUMENT: &str = "kharness.control=";

/// The key of a module in a [`ModuleIndex`]: the kernel takes `-` and `_` in names as the same.
#[must_use]
pub fn module_key(name: &str) -> String {
    name.replace('-', "_")
}
