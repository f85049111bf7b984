//! Loaded modules and their symbols.

use serde::Serialize;

use super::{Error, Kernel, Walk};
use crate::Address;
use crate::bytes::{u32_at, u64_at};
use crate::symbols::Symbols;

/// Symbols of one module at most.
const MAX_SYMBOLS: u64 = 1 << 18;
const MAX_NAME: usize = 512;
/// `struct elf64_sym`: name, info, other, shndx, value, size.
const ELF_SYMBOL: u64 = 24;
/// Modules that `MODULE_STATE_*` of include/linux/module.h names.
const STATES: [&str; 4] = ["live", "coming", "going", "unformed"];

/// A module in the kernel's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoadedModule {
    /// Address of its `struct module`.
    pub address: Address,
    /// Name.
    pub name: String,
    /// `live`, `coming`, `going` or `unformed`.
    pub state: &'static str,
    /// Address of its text.
    pub base: Address,
    /// Bytes of all its sections together, as `/proc/modules` counts.
    pub size: u64,
    /// Users, as `/proc/modules` counts.
    pub references: i64,
    /// Taint flags that it set, as bits.
    pub taints: u64,
    /// Address ranges with its code and data.
    #[serde(skip)]
    ranges: Vec<(u64, u64)>,
}

impl LoadedModule {
    fn contains(&self, address: u64) -> bool {
        self.ranges.iter().any(|(base, size)| address.wrapping_sub(*base) < *size)
    }
}

/// Modules with their symbols.
pub(super) type ModuleSymbols = Vec<(LoadedModule, Symbols)>;

impl Kernel {
    /// The modules in the kernel's list, the last loaded first.
    ///
    /// # Errors
    /// Where this kernel has no modules at all (CONFIG_MODULES).
    pub fn modules(&self) -> Result<Walk<LoadedModule>, Error> {
        let head = self.symbols().address("modules")?;
        let fields = Fields::resolve(self)?;
        let list = self.list(head, self.offset("module", "list")?);
        Ok(list.then(|at, walk| walk.take(at, fields.read(self, at))))
    }

    /// The module whose code or data is at an address, with its symbols.
    pub(super) fn module_at(&self, address: u64) -> Option<(&LoadedModule, &Symbols)> {
        self.module_symbols()
            .iter()
            .find(|(module, _)| module.contains(address))
            .map(|(module, symbols)| (module, symbols))
    }

    /// All modules and their symbols; a module that cannot be read is left out.
    pub fn module_symbols(&self) -> &[(LoadedModule, Symbols)] {
        self.modules.get_or_init(|| {
            let modules = self.modules().map(|walk| walk.items).unwrap_or_default();
            modules
                .into_iter()
                .map(|module| {
                    let symbols = self.symbols_of(&module).unwrap_or_default();
                    (module, symbols)
                })
                .collect()
        })
    }

    /// The symbols that `struct mod_kallsyms` of a module holds.
    fn symbols_of(&self, module: &LoadedModule) -> Result<Symbols, Error> {
        let table = self.get(module.address.0, self.field("module", "kallsyms")?)?;
        let get = |member| self.get(table, self.field("mod_kallsyms", member)?);
        let count = get("num_symtab")?.min(MAX_SYMBOLS);
        let (symtab, strtab) = (get("symtab")?, get("strtab")?);
        let kinds = self.field("mod_kallsyms", "typetab").ok();
        let kinds = kinds.map(|field| self.get(table, field)).transpose()?;
        let bytes = self.space().bytes(symtab, crate::bytes::index(count * ELF_SYMBOL))?;
        let mut symbols = Symbols::default();
        for (number, entry) in (0_u64..).zip(bytes.chunks_exact(crate::bytes::index(ELF_SYMBOL))) {
            let name = u64::from(u32_at(entry, 0).unwrap_or_default());
            let value = u64_at(entry, 8).unwrap_or_default();
            let kind = kinds.map_or(Ok(b't'), |kinds| self.kind_at(kinds.wrapping_add(number)))?;
            if name != 0 && module.contains(value) {
                let name = self.space().string(strtab.wrapping_add(name), MAX_NAME)?;
                symbols.push(value, kind, name.as_bytes());
            }
        }
        Ok(symbols.seal())
    }

    fn kind_at(&self, address: u64) -> Result<u8, Error> {
        let mut kind = [0];
        self.space().read(address, &mut kind)?;
        Ok(kind[0])
    }
}

/// Where the members of `struct module` are in this kernel.
struct Fields {
    name: super::Field,
    state: super::Field,
    references: Option<super::Field>,
    taints: Option<super::Field>,
    /// Base and size of each section: `mem[]` since 6.4, `core_layout` before.
    sections: Vec<(super::Field, super::Field)>,
}

impl Fields {
    fn resolve(kernel: &Kernel) -> Result<Self, Error> {
        let field = |path: &str| kernel.field("module", path);
        let sections = match kernel.field("module", "mem") {
            Ok(whole) => {
                let one = kernel.size_of("module_memory")?.max(1);
                (0..(whole.size / one).min(16))
                    .map(|i| {
                        Ok((field(&format!("mem[{i}].base"))?, field(&format!("mem[{i}].size"))?))
                    })
                    .collect::<Result<_, Error>>()?
            }
            Err(_) => ["core_layout", "init_layout"]
                .iter()
                .map(|part| Ok((field(&format!("{part}.base"))?, field(&format!("{part}.size"))?)))
                .collect::<Result<_, Error>>()?,
        };
        Ok(Self {
            name: field("name")?,
            state: field("state")?,
            references: field("refcnt.counter").ok(),
            taints: field("taints").ok(),
            sections,
        })
    }

    fn read(&self, kernel: &Kernel, at: u64) -> Result<LoadedModule, Error> {
        let mut ranges = Vec::new();
        for (base, size) in &self.sections {
            let range = (kernel.get(at, *base)?, kernel.get(at, *size)?);
            if range.0 != 0 && range.1 != 0 {
                ranges.push(range);
            }
        }
        let optional =
            |field: Option<super::Field>| field.map_or(Ok(0), |field| kernel.get_signed(at, field));
        let state = crate::bytes::index(kernel.get(at, self.state)?);
        Ok(LoadedModule {
            address: Address(at),
            name: kernel.text(at, self.name)?,
            state: STATES.get(state).copied().unwrap_or("unknown"),
            base: Address(ranges.first().map_or(0, |range| range.0)),
            size: ranges.iter().fold(0, |sum, range| sum.saturating_add(range.1)),
            // The kernel holds one reference itself, MODULE_REF_BASE.
            references: optional(self.references)?.saturating_sub(1),
            taints: optional(self.taints)?.cast_unsigned(),
            ranges,
        })
    }
}
