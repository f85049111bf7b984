//! Takes the snapshots of one guest.

use std::path::PathBuf;
use std::sync::Arc;

use inspect::Kernel;
use inspect::dump::{About, Registers, save};
use vmm::Machine;

use super::guest::{self, Layout};
use super::{Budget, Memory, Place};

/// Takes the snapshots of one guest and knows where they are.
pub struct Recorder {
    dir: PathBuf,
    layout: Layout,
    cpus: u32,
    about: About,
    budget: Budget,
    memory: Memory,
}

impl Recorder {
    /// A recorder of a PC that writes below `dir`.
    pub fn new(dir: PathBuf, cpus: u32, cmdline: String, budget: Budget) -> Self {
        let about = About { backend: String::new(), cmdline };
        Self { dir, layout: Layout::Pc, cpus, about, budget, memory: Memory::default() }
    }

    /// The same for a machine that has its RAM elsewhere.
    #[must_use]
    pub fn with_layout(self, layout: Layout) -> Self {
        Self { layout, ..self }
    }

    /// What was taken so far.
    pub fn into_memory(self) -> Memory {
        self.memory
    }

    /// Saves a machine that is paused or has ended.
    ///
    /// # Errors
    /// When it cannot be read, the disk refuses, or the budget is used up.
    pub fn save(
        &mut self,
        machine: &mut dyn Machine,
        place: Place,
        reason: &str,
    ) -> Result<(), String> {
        if place == Place::Crash {
            self.budget.take()?;
        }
        let dump = guest::dump(machine, self.layout, self.cpus, reason)?;
        let about = About { backend: machine.backend().to_string(), ..self.about.clone() };
        let path = self.dir.join(place.path());
        let saved = save(&path, &dump, &about).map_err(|error| error.to_string())?;
        if place == Place::Crash {
            self.budget.spend(saved.written);
        }
        self.memory.note(place, path);
        Ok(())
    }

    /// Writes a vmcore of a machine that is paused.
    ///
    /// # Errors
    /// When no kernel is found in it, or the disk refuses.
    pub fn dump(&mut self, machine: &mut dyn Machine, name: &str) -> Result<(), String> {
        let dump = guest::dump(machine, self.layout, self.cpus, "asked for")?;
        let kernel = Kernel::attach(dump).map_err(|error| error.to_string())?;
        let path = self.dir.join(format!("{name}.vmcore"));
        kernel.export_vmcore(&path).map(drop).map_err(|error| error.to_string())
    }

    /// The kernel in a machine that is paused, its memory read in place.
    ///
    /// # Errors
    /// When no kernel is found in it.
    pub fn attach(&self, machine: &mut dyn Machine) -> Result<Kernel, String> {
        let dump = guest::dump(machine, self.layout, self.cpus, "looked at")?;
        Kernel::attach(dump).map_err(|error| error.to_string())
    }

    /// Registers of all vCPUs of a machine that is paused.
    pub fn registers(&self, machine: &mut dyn Machine) -> Vec<Registers> {
        guest::registers(machine, self.cpus)
    }

    /// The same kernel, some time after it was attached to: finding it again takes longer.
    ///
    /// # Errors
    /// When it has to be found again, and is not.
    pub fn attach_again(
        &self,
        mut kernel: Arc<Kernel>,
        machine: &mut dyn Machine,
    ) -> Result<Arc<Kernel>, String> {
        match Arc::get_mut(&mut kernel) {
            Some(kernel) => kernel.refresh(guest::registers(machine, self.cpus)),
            None => return self.attach(machine).map(Arc::new),
        }
        Ok(kernel)
    }

    /// Takes note of a snapshot that was not taken.
    pub fn missed(&mut self, why: String) {
        self.memory.problems.push(why);
    }
}
