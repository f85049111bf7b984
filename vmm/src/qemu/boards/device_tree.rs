//! The device trees of boards, as their kernel has them: checked, and mended where QEMU's model of the
//! board is not whole.

use std::fs;
use std::path::{Path, PathBuf};

use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeProperty};
use dtoolkit::{Node, Property};

use crate::Model;
use crate::qemu::QemuError;

/// What a board's tree is to say of itself, and the nodes that make its kernel touch what QEMU does
/// not model.
struct Mending {
    /// In the root's `compatible`.
    compatible: &'static str,
    /// Parent, and the beginning of the names of children to be disabled.
    disabled: &'static [(&'static str, &'static str)],
}

fn mending(model: Model) -> Option<Mending> {
    match model {
        Model::Pc | Model::Virt => None,
        Model::Raspi3b => Some(Mending { compatible: "raspberrypi,3-model-b", disabled: &[] }),
        Model::Raspi4b => Some(Mending {
            compatible: "raspberrypi,4-model-b",
            // The display's block at 0x7ef00000 (HDMI, its I2C, clocks and interrupts) is not
            // there: the first access is an external abort that ends the boot.
            disabled: &[("soc", "@7ef")],
        }),
    }
}

/// Writes the device tree in `from` for `model` into the directory `dir`, fit for QEMU; gives its
/// path. `None` for machines whose tree QEMU writes.
pub(in crate::qemu) fn prepare(
    model: Model,
    from: Option<&Path>,
    dir: &Path,
) -> Result<Option<PathBuf>, QemuError> {
    let Some(mending) = mending(model) else { return Ok(None) };
    let path = from.ok_or(QemuError::NoDeviceTree { model })?;
    let wrong = |reason: String| QemuError::DeviceTree { path: path.into(), model, reason };
    let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mended = mend(&bytes, &mending).map_err(wrong)?;
    let to = dir.join("board.dtb");
    fs::write(&to, mended).map_err(|source| QemuError::SetUp { what: "device tree", source })?;
    Ok(Some(to))
}

fn mend(bytes: &[u8], mending: &Mending) -> Result<Vec<u8>, String> {
    let fdt = Fdt::new(bytes).map_err(|error| format!("it is no device tree: {error}"))?;
    let mut tree = DeviceTree::from_fdt(&fdt);
    expect_compatible(&tree, mending.compatible)?;
    for (parent, part) in mending.disabled {
        let Some(parent) = tree.root.child_mut(parent) else { continue };
        for child in parent.children_mut().filter(|child| (**child).name().contains(part)) {
            child.add_property(DeviceTreeProperty::new_unchecked("status", "disabled"));
        }
    }
    Ok(tree.to_dtb())
}

fn expect_compatible(tree: &DeviceTree, wanted: &str) -> Result<(), String> {
    let value = tree.root.property("compatible").map(|property| property.value().to_vec());
    let value = value.unwrap_or_default();
    let text = String::from_utf8_lossy(&value);
    let names: Vec<&str> = text.split('\0').filter(|name| !name.is_empty()).collect();
    match names.contains(&wanted) {
        true => Ok(()),
        false => {
            Err(format!("it is for {}, not for {wanted}", names.first().unwrap_or(&"nothing")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(compatible: &str) -> Vec<u8> {
        use dtoolkit::model::DeviceTreeNode;
        let disabled = |name: &str| {
            let status = DeviceTreeProperty::new_unchecked("status", "okay");
            DeviceTreeNode::builder(name).unwrap().property(status).build()
        };
        let soc = DeviceTreeNode::builder("soc")
            .unwrap()
            .child(disabled("hdmi@7ef00700"))
            .child(disabled("serial@7e201000"))
            .build();
        let mut tree = DeviceTree::new();
        tree.root.add_property(DeviceTreeProperty::new_unchecked("compatible", compatible));
        tree.root.add_child(soc);
        tree.to_dtb()
    }

    fn status(dtb: &[u8], name: &str) -> String {
        let fdt = Fdt::new(dtb).unwrap();
        let tree = DeviceTree::from_fdt(&fdt);
        let soc = tree.root.child("soc").unwrap();
        let value = soc.child(name).unwrap().property("status").unwrap().value().to_vec();
        String::from_utf8(value).unwrap().trim_end_matches('\0').to_owned()
    }

    #[test]
    fn what_qemu_does_not_model_is_disabled_and_the_rest_stays() {
        let mended =
            mend(&tree("raspberrypi,4-model-b"), &mending(Model::Raspi4b).unwrap()).unwrap();
        assert_eq!(status(&mended, "hdmi@7ef00700"), "disabled");
        assert_eq!(status(&mended, "serial@7e201000"), "okay");
    }

    #[test]
    fn the_tree_of_another_board_and_what_is_no_tree_are_refused() {
        let four = mending(Model::Raspi4b).unwrap();
        let error = mend(&tree("raspberrypi,3-model-b"), &four).unwrap_err();
        assert!(error.contains("raspberrypi,3-model-b, not for raspberrypi,4-model-b"), "{error}");
        for bytes in [b"".as_slice(), b"no tree", &[0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, 1]] {
            assert!(mend(bytes, &four).unwrap_err().contains("no device tree"));
        }
        let mut cut = tree("raspberrypi,4-model-b");
        cut.truncate(cut.len() / 2);
        assert!(mend(&cut, &four).is_err());
    }
}
