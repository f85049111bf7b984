//! The matrix: which cells there are, and what each changes in the scenario.

use super::machine::Change;
use crate::scenario::model::{Arch, Backend, Board, Cell, KERNEL_AXIS, Scenario, label};
use crate::scenario::problem::Problems;
use crate::scenario::source::Place;
use crate::scenario::suggest::nearest;
use crate::scenario::units::Size;
use crate::scenario::written::{
    CellKeys, Given, MachineKeys, MatrixKeys, Placed, StringOr, Text, Word,
};

/// More cells than anybody waits for are a mistake.
const MOST_CELLS: usize = 1000;

/// A value of an axis.
struct Value {
    axis: String,
    label: String,
    effect: Effect,
    place: Place,
}

/// What a value changes.
enum Effect {
    Kernel(String),
    Machine(Change),
    Param(String),
}

/// Values of one axis, at least one.
struct Axis {
    name: String,
    values: Vec<Value>,
}

/// `scenario` in each cell of the matrix that `keys` state: every combination of the axes but the
/// excluded ones, and then the included ones.
pub fn cells(
    written: Placed<MatrixKeys>,
    scenario: &Scenario,
    problems: &mut Problems,
) -> Vec<(Cell, Scenario)> {
    let (mut keys, wrong) = (written.value, problems.count());
    let (include, exclude) = (keys.include.0.take(), keys.exclude.0.take());
    let axes = axes(keys, problems);
    let excluded: Vec<Cell> =
        exclude.into_iter().flatten().filter_map(|keys| excluded(keys, &axes, problems)).collect();
    let included: Vec<(Place, Vec<Value>)> =
        include.into_iter().flatten().map(|keys| (keys.place, values(keys, problems))).collect();
    for value in axes.iter().flat_map(|axis| &axis.values).chain(included.iter().flat_map(|i| &i.1))
    {
        check_param(value, scenario, problems);
    }
    let mut chosen = combinations(&axes, problems);
    chosen.retain(|values| !excluded.iter().any(|cell| cell_of(values).has(cell)));
    for (place, values) in &included {
        let values: Vec<&Value> = values.iter().collect();
        if values.is_empty() || chosen.iter().any(|other| cell_of(other) == cell_of(&values)) {
            problems.add(*place, "this cell is there without being included");
        }
        chosen.push(values);
    }
    if chosen.is_empty() && problems.count() == wrong {
        let help = "give an axis some values, or exclude fewer cells";
        problems.add_with_help(written.place, "the matrix has no cells", help);
    }
    chosen.iter().map(|values| (cell_of(values), changed(scenario, values))).collect()
}

fn axes(keys: MatrixKeys, problems: &mut Problems) -> Vec<Axis> {
    let mut axes = vec![
        axis(KERNEL_AXIS, keys.kernel, problems, kernel),
        axis("machine", keys.machine, problems, machine),
        axis("arch", keys.arch, problems, arch),
        axis("board", keys.board, problems, board),
        axis("cpus", keys.cpus, problems, cpus),
        axis("memory", keys.memory, problems, memory),
        axis("backend", keys.backend, problems, backend),
        axis("cmdline", keys.cmdline, problems, cmdline),
    ];
    for (name, values) in keys.params.0.into_iter().flatten() {
        axes.push(axis(&name, Given(Some(values)), problems, param));
    }
    axes.into_iter().flatten().collect()
}

/// The axis `name` with its values, each of which `read` reads.
fn axis<T>(
    name: &str,
    written: Given<Placed<Vec<T>>>,
    problems: &mut Problems,
    read: fn(T, &mut Problems) -> (Place, Effect),
) -> Option<Axis> {
    let Placed { value: written, place } = written.0?;
    if written.is_empty() {
        problems.add(place, "an axis without values leaves the matrix without cells");
    }
    let mut values: Vec<Value> = Vec::new();
    for written in written {
        let value = value(name, read(written, problems));
        if values.iter().any(|other| other.label == value.label) {
            let message = format!("a second value `{}` on this axis", value.label);
            problems.add_with_help(value.place, message, "values are told apart by these words");
        }
        values.push(value);
    }
    Some(Axis { name: name.to_owned(), values })
}

fn value(axis: &str, (place, effect): (Place, Effect)) -> Value {
    let label = label(&match &effect {
        Effect::Kernel(text) | Effect::Param(text) => text.clone(),
        // The axis says what it is a number of.
        Effect::Machine(Change { cpus: Some(cpus), .. }) if axis == "cpus" => cpus.to_string(),
        Effect::Machine(change) => change.to_string(),
    });
    Value { axis: axis.to_owned(), label, effect, place }
}

/// The values of one cell, in the order of the axes.
fn values(keys: Placed<CellKeys>, problems: &mut Problems) -> Vec<Value> {
    let keys = keys.value;
    let mut values: Vec<Option<Value>> = vec![
        keys.kernel.0.map(|it| value(KERNEL_AXIS, kernel(it, problems))),
        keys.machine.0.map(|it| value("machine", machine(it, problems))),
        keys.arch.0.map(|it| value("arch", arch(it, problems))),
        keys.board.0.map(|it| value("board", board(it, problems))),
        keys.cpus.0.map(|it| value("cpus", cpus(it, problems))),
        keys.memory.0.map(|it| value("memory", memory(it, problems))),
        keys.backend.0.map(|it| value("backend", backend(it, problems))),
        keys.cmdline.0.map(|it| value("cmdline", cmdline(it, problems))),
    ];
    let params = keys.params.0.into_iter().flatten();
    values.extend(params.map(|(name, it)| Some(value(&name, param(it, problems)))));
    values.into_iter().flatten().collect()
}

/// The values of an entry of `exclude`, which have to be on the axes.
fn excluded(keys: Placed<CellKeys>, axes: &[Axis], problems: &mut Problems) -> Option<Cell> {
    let place = keys.place;
    let values = values(keys, problems);
    if values.is_empty() {
        problems.add(place, "an entry that names no value excludes everything");
        return None;
    }
    for value in &values {
        check_on_axis(value, axes, problems);
    }
    Some(cell_of(&values.iter().collect::<Vec<_>>()))
}

fn check_on_axis(value: &Value, axes: &[Axis], problems: &mut Problems) {
    let Some(axis) = axes.iter().find(|axis| axis.name == value.axis) else {
        problems.add(value.place, format!("the matrix has no axis `{}`", value.axis));
        return;
    };
    let mut labels = axis.values.iter().map(|value| value.label.as_str());
    if labels.clone().any(|label| label == value.label) {
        return;
    }
    let message = format!("the axis `{}` has no value `{}`", axis.name, value.label);
    let help = match nearest(&value.label, labels.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("its values: {}", labels.by_ref().collect::<Vec<_>>().join(", ")),
    };
    problems.add_with_help(value.place, message, help);
}

/// A parameter is one of a module that is loaded.
fn check_param(value: &Value, scenario: &Scenario, problems: &mut Problems) {
    if !matches!(value.effect, Effect::Param(_)) {
        return;
    }
    let Some((module, _)) = module_and_name(&value.axis) else {
        let message = format!("`{}` is not a parameter: write MODULE.NAME", value.axis);
        problems.add(value.place, message);
        return;
    };
    if scenario.clone().params_of(&module).next().is_none() {
        problems.add(value.place, format!("the scenario loads no module `{module}`"));
    }
}

fn module_and_name(axis: &str) -> Option<(String, &str)> {
    let (module, name) = axis.split_once('.')?;
    (!module.is_empty() && !name.is_empty()).then(|| (module.replace('-', "_"), name))
}

/// Every combination of one value of each axis; none without axes.
fn combinations<'a>(axes: &'a [Axis], problems: &mut Problems) -> Vec<Vec<&'a Value>> {
    let count = axes.iter().try_fold(1_usize, |all, axis| all.checked_mul(axis.values.len()));
    if axes.is_empty() {
        return Vec::new();
    }
    if count.is_none_or(|count| count > MOST_CELLS) {
        let place = axes[0].values.first().map(|value| value.place).unwrap_or_default();
        problems.add(place, format!("the matrix has more than {MOST_CELLS} cells"));
        return Vec::new();
    }
    axes.iter().fold(vec![Vec::new()], |chosen, axis| {
        let with_each = chosen.iter().flat_map(|before| {
            axis.values.iter().map(move |value| before.iter().copied().chain([value]).collect())
        });
        with_each.collect()
    })
}

fn cell_of(values: &[&Value]) -> Cell {
    Cell::new(values.iter().map(|value| (value.axis.clone(), value.label.clone())).collect())
}

fn changed(scenario: &Scenario, values: &[&Value]) -> Scenario {
    let mut scenario = scenario.clone();
    for value in values {
        match &value.effect {
            Effect::Kernel(name) => scenario.kernel = Some(name.clone()),
            Effect::Machine(change) => change.apply(&mut scenario.machine),
            Effect::Param(text) => {
                let Some((module, name)) = module_and_name(&value.axis) else { continue };
                for params in scenario.params_of(&module) {
                    params.insert(name.to_owned(), text.clone());
                }
            }
        }
    }
    scenario
}

fn kernel(written: Placed<String>, _: &mut Problems) -> (Place, Effect) {
    (written.place, Effect::Kernel(written.value))
}

fn param(written: Placed<Word>, _: &mut Problems) -> (Place, Effect) {
    (written.place, Effect::Param(written.value.0))
}

fn machine(written: Placed<StringOr<MachineKeys>>, problems: &mut Problems) -> (Place, Effect) {
    let change = match written.value {
        StringOr::Short(name) => Change::named(&name).unwrap_or_else(|| {
            let known = Change::names().join(", ");
            problems.add(written.place, format!("`{name}` is no machine: there are {known}"));
            Change::of_cpus(1)
        }),
        StringOr::Full(keys) => Change::read(&keys, problems),
    };
    if change == Change::default() {
        problems.add(written.place, "an entry without keys is no machine");
    }
    (written.place, Effect::Machine(change))
}

/// An axis that is one key of `machine`.
fn one_key(place: Place, keys: &MachineKeys, problems: &mut Problems) -> (Place, Effect) {
    (place, Effect::Machine(Change::read(keys, problems)))
}

fn arch(written: Placed<Arch>, problems: &mut Problems) -> (Place, Effect) {
    let keys = MachineKeys { arch: Given(Some(written.value)), ..MachineKeys::default() };
    one_key(written.place, &keys, problems)
}

fn board(written: Placed<Board>, problems: &mut Problems) -> (Place, Effect) {
    let place = written.place;
    let keys = MachineKeys { board: Given(Some(written)), ..MachineKeys::default() };
    one_key(place, &keys, problems)
}

fn cpus(written: Placed<u32>, problems: &mut Problems) -> (Place, Effect) {
    let place = written.place;
    let keys = MachineKeys { cpus: Given(Some(written)), ..MachineKeys::default() };
    one_key(place, &keys, problems)
}

fn memory(written: Text<Size>, problems: &mut Problems) -> (Place, Effect) {
    let place = written.place();
    let keys = MachineKeys { memory: Given(Some(written)), ..MachineKeys::default() };
    one_key(place, &keys, problems)
}

fn backend(written: Placed<Backend>, problems: &mut Problems) -> (Place, Effect) {
    let keys = MachineKeys { backend: Given(Some(written.value)), ..MachineKeys::default() };
    one_key(written.place, &keys, problems)
}

fn cmdline(written: Text<String>, problems: &mut Problems) -> (Place, Effect) {
    let place = written.place();
    let keys = MachineKeys { cmdline: Given(Some(written)), ..MachineKeys::default() };
    one_key(place, &keys, problems)
}
