//! What an ELF file says about how it is loaded (elf(5), ld.so(8)).

use std::path::Path;

use goblin::elf::Elf;

use crate::pack::PackError;

/// What the loader reads of an ELF file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loading {
    /// `e_machine`, and whether it is 64-bit: objects of one process agree in both.
    pub machine: (u16, bool),
    /// `PT_INTERP`.
    pub interpreter: Option<String>,
    /// `DT_NEEDED`.
    pub needed: Vec<String>,
    /// `DT_RPATH`, directories.
    pub rpath: Vec<String>,
    /// `DT_RUNPATH`, directories.
    pub runpath: Vec<String>,
}

/// Parses the file at `path`, whose contents are `bytes`.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Loading, PackError> {
    let elf = Elf::parse(bytes)
        .map_err(|error| PackError::NotAProgram { path: path.into(), reason: error.to_string() })?;
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Ok(Loading {
        machine: (elf.header.e_machine, elf.is_64),
        interpreter: elf.interpreter.map(str::to_owned),
        needed: owned(&elf.libraries),
        rpath: directories(&elf.rpaths),
        runpath: directories(&elf.runpaths),
    })
}

/// Splits `a:b` lists.
fn directories(lists: &[&str]) -> Vec<String> {
    let parts = lists.iter().flat_map(|list| list.split(':'));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
