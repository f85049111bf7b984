//! The key `matrix`: values of which each combination is a test.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Given, MachineKeys, Placed, StringOr, Text, Word};
use crate::scenario::model::{Arch, Backend, Board};
use crate::scenario::units::Size;

/// Axes, each with a list of values. Every combination of values is a cell: a test of its own, whose
/// values take the place of those of the scenario.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Matrix")]
pub struct MatrixKeys {
    /// Kernels, as `kernel` names one. `-k` on the command line takes the place of the axis.
    pub kernel: Given<Placed<Vec<Placed<String>>>>,
    /// Machines: an architecture, a board, or keys of `machine`.
    pub machine: Given<Placed<Vec<Placed<StringOr<MachineKeys>>>>>,
    /// Values of `machine.arch`.
    pub arch: Given<Placed<Vec<Placed<Arch>>>>,
    /// Values of `machine.board`.
    pub board: Given<Placed<Vec<Placed<Board>>>>,
    /// Values of `machine.cpus`.
    pub cpus: Given<Placed<Vec<Placed<u32>>>>,
    /// Values of `machine.memory`.
    pub memory: Given<Placed<Vec<Text<Size>>>>,
    /// Values of `machine.backend`.
    pub backend: Given<Placed<Vec<Placed<Backend>>>>,
    /// Words to append to the kernel command line, behind those of `machine.cmdline`; may be empty.
    pub cmdline: Given<Placed<Vec<Text<String>>>>,
    /// Values of parameters of modules that the scenario loads, by `MODULE.NAME`.
    pub params: Given<BTreeMap<String, Placed<Vec<Placed<Word>>>>>,
    /// Cells to add: a value for each axis that is to differ from the scenario.
    pub include: Given<Vec<Placed<CellKeys>>>,
    /// Cells to leave out: those that have all of these values.
    pub exclude: Given<Vec<Placed<CellKeys>>>,
}

/// One value for each of some axes.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Cell")]
pub struct CellKeys {
    /// A kernel.
    pub kernel: Given<Placed<String>>,
    /// A machine: an architecture, a board, or keys of `machine`.
    pub machine: Given<Placed<StringOr<MachineKeys>>>,
    /// An architecture.
    pub arch: Given<Placed<Arch>>,
    /// A board.
    pub board: Given<Placed<Board>>,
    /// A number of CPUs.
    pub cpus: Given<Placed<u32>>,
    /// An amount of memory.
    pub memory: Given<Text<Size>>,
    /// A backend.
    pub backend: Given<Placed<Backend>>,
    /// Words to append to the kernel command line.
    pub cmdline: Given<Text<String>>,
    /// Parameters of modules, by `MODULE.NAME`.
    pub params: Given<BTreeMap<String, Placed<Word>>>,
}
