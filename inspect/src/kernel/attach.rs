//! Finds the kernel in a dump.

use std::sync::{Arc, OnceLock};

use super::image::{self, X86_DEFAULT_TEXT};
use super::modules::ModuleSymbols;
use super::{Broke, Error, LoadedModule};
use crate::dump::{Arch, Dump, Registers, VmcoreInfo, find_vmcoreinfo};
use crate::memory::AddressSpace;
use crate::symbols::{Location, Symbols, Tables, find_tables};
use crate::types::Btf;

/// The BTF of kernels with everything built in is some 10 MiB.
const MAX_BTF: u64 = 64 << 20;
const MAX_BANNER: usize = 1024;
const NT_GNU_BUILD_ID: u32 = 3;

/// A kernel in guest memory.
#[derive(Debug)]
pub struct Kernel {
    dump: Dump,
    info: VmcoreInfo,
    space: AddressSpace,
    symbols: Symbols,
    types: Arc<Btf>,
    without_types: Vec<Broke>,
    pub(super) modules: OnceLock<ModuleSymbols>,
    pub(crate) unwind_tables: OnceLock<crate::stack::Tables>,
}

impl Kernel {
    /// Finds the kernel in a dump: through VMCOREINFO in the dump's notes or in RAM, else (x86-64) from
    /// the page tables of a vCPU.
    ///
    /// # Errors
    /// [`Error::NoKernel`] when there is none, and whatever is wrong with its symbols or types.
    pub fn attach(dump: Dump) -> Result<Self, Error> {
        let info = dump.vmcoreinfo.clone().or_else(|| find_vmcoreinfo(&*dump.memory));
        let (info, space, symbols) = match info {
            Some(info) => {
                let space = image::space_from_info(&dump, &info)?;
                let symbols = symbols_from_info(&info, &space)?;
                (info, space, symbols)
            }
            None => without_info(&dump)?,
        };
        let types = Arc::new(types_from_memory(&space, &symbols)?);
        let mut kernel = Self {
            dump,
            info,
            space,
            symbols,
            types,
            without_types: Vec::new(),
            modules: OnceLock::new(),
            unwind_tables: OnceLock::new(),
        };
        kernel.without_types = kernel.add_module_types();
        Ok(kernel)
    }

    /// Goes on with a guest that ran in between: its registers are others, and it may have loaded modules.
    pub fn refresh(&mut self, cpus: Vec<Registers>) {
        self.dump.cpus = cpus;
        self.modules = OnceLock::new();
        self.unwind_tables = OnceLock::new();
    }

    /// The dump it was found in.
    #[must_use]
    pub fn dump(&self) -> &Dump {
        &self.dump
    }

    /// VMCOREINFO: the kernel's own, or made up from what was found where the kernel had not written one.
    #[must_use]
    pub fn vmcoreinfo(&self) -> &VmcoreInfo {
        &self.info
    }

    /// The kernel's address space.
    #[must_use]
    pub fn space(&self) -> &AddressSpace {
        &self.space
    }

    /// Symbols of the kernel image.
    #[must_use]
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// Types of the kernel and of its modules.
    #[must_use]
    pub fn types(&self) -> &Arc<Btf> {
        &self.types
    }

    pub(super) fn set_types(&mut self, types: Arc<Btf>) {
        self.types = types;
    }

    /// Modules whose types could not be read, by the address of their `struct btf_module`.
    #[must_use]
    pub fn without_types(&self) -> &[Broke] {
        &self.without_types
    }

    /// Kernel release, as `uname -r` gives it.
    #[must_use]
    pub fn release(&self) -> &str {
        self.info.release().unwrap_or("unknown")
    }

    /// What lies at an address, in the kernel image or in a module; with the module's name.
    #[must_use]
    pub fn locate(&self, address: u64) -> Option<(Location<'_>, Option<&LoadedModule>)> {
        if let Some((module, symbols)) = self.module_at(address) {
            return Some((symbols.at(address)?, Some(module)));
        }
        let end = self.symbols.find("_end").unwrap_or(u64::MAX);
        let start = self.symbols.find("_text").unwrap_or(0);
        let inside = (start..end).contains(&address);
        inside.then(|| Some((self.symbols.at(address)?, None)))?
    }

    /// An address as people read it: `schedule+0x5a`, `init+0x3 [loop]`, or the bare number.
    #[must_use]
    pub fn symbolize(&self, address: u64) -> String {
        let Some((location, module)) = self.locate(address) else {
            return format!("{address:#x}");
        };
        let name = format!("{:#}", rustc_demangle::demangle(location.symbol.name));
        let module = module.map_or_else(String::new, |module| format!(" [{}]", module.name));
        match location.offset {
            0 => format!("{name}{module}"),
            offset => format!("{name}+{offset:#x}{module}"),
        }
    }
}

/// From 6.0 on VMCOREINFO names the parts of kallsyms; before that the image is searched.
fn symbols_from_info(info: &VmcoreInfo, space: &AddressSpace) -> Result<Symbols, Error> {
    let part = |name| info.symbol(&format!("kallsyms_{name}"));
    let named = || {
        Some(Tables {
            num_syms: part("num_syms")?,
            names: part("names")?,
            token_table: part("token_table")?,
            token_index: part("token_index")?,
            offsets: part("offsets")?,
            relative_base: part("relative_base"),
        })
    };
    let tables = match named() {
        Some(tables) => tables,
        None => {
            let image = image::x86_image(space)?;
            find_tables(&image.bytes, image.text)?
        }
    };
    Ok(tables.decode(space)?)
}

/// Early boot: the page tables of a vCPU lead to the image, the image to kallsyms, that to the rest.
fn without_info(dump: &Dump) -> Result<(VmcoreInfo, AddressSpace, Symbols), Error> {
    let no_kernel = |reason: &str| Error::NoKernel { reason: reason.to_owned() };
    if dump.arch != Arch::X86_64 {
        return Err(no_kernel("it has not written VMCOREINFO yet"));
    }
    let space = dump
        .cpus
        .iter()
        .find_map(|registers| image::space_from_registers(&dump.memory, registers))
        .ok_or_else(|| no_kernel("no VMCOREINFO in RAM, and the dump has no CR3 and CR4"))?;
    let image = image::x86_image(&space)?;
    let symbols = find_tables(&image.bytes, image.text)?.decode(&space)?;
    let info = synthesize(&space, &symbols, &image);
    Ok((info, space, symbols))
}

/// The lines of VMCOREINFO that drgn and crash cannot do without.
fn synthesize(space: &AddressSpace, symbols: &Symbols, image: &image::MappedImage) -> VmcoreInfo {
    let five = matches!(space.format(), crate::memory::PageTable::X86 { levels: 5 });
    let mut text = format!(
        "OSRELEASE={}\nPAGESIZE=4096\nNUMBER(phys_base)={}\nNUMBER(pgtable_l5_enabled)={}\nKERNELOFFSET={:x}\n",
        release_in_banner(space, symbols).unwrap_or_default(),
        image.phys_base.cast_signed(),
        u8::from(five),
        image.text.wrapping_sub(X86_DEFAULT_TEXT),
    );
    // A vCPU may still use the page table of early boot; init_top_pgt is the one that stays.
    let table = symbols.find("init_top_pgt").unwrap_or_else(|| image.virtual_address(space.root()));
    text.push_str(&format!("SYMBOL(swapper_pg_dir)={table:x}\n"));
    for symbol in ["init_uts_ns", "_stext"] {
        if let Some(address) = symbols.find(symbol) {
            text.push_str(&format!("SYMBOL({symbol})={address:x}\n"));
        }
    }
    if let Some(id) = build_id(space, symbols) {
        text.push_str(&format!("BUILD-ID={id}\n"));
    }
    VmcoreInfo::parse(text.as_bytes())
}

fn release_in_banner(space: &AddressSpace, symbols: &Symbols) -> Option<String> {
    let banner = space.string(symbols.find("linux_banner")?, MAX_BANNER).ok()?;
    let release = banner.strip_prefix("Linux version ")?;
    Some(release.split(' ').next()?.to_owned())
}

fn build_id(space: &AddressSpace, symbols: &Symbols) -> Option<String> {
    let start = symbols.find("__start_notes")?;
    let length = symbols.find("__stop_notes")?.checked_sub(start)?.min(1 << 16);
    let notes = space.bytes(start, crate::bytes::index(length)).ok()?;
    crate::dump::parse_notes(&notes)
        .find(|note| note.name == b"GNU" && note.kind == NT_GNU_BUILD_ID)
        .map(|note| note.content.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn types_from_memory(space: &AddressSpace, symbols: &Symbols) -> Result<Btf, Error> {
    let bounds = symbols.find("__start_BTF").zip(symbols.find("__stop_BTF"));
    if bounds.is_none() && symbols.find("init_task").is_none() {
        return Err(Error::Unsupported {
            what: "symbols of variables".to_owned(),
            advice: "build it with CONFIG_KALLSYMS_ALL=y",
        });
    }
    let (start, end) = bounds.ok_or_else(|| Error::Unsupported {
        what: "type information (BTF)".to_owned(),
        advice: "build it with CONFIG_DEBUG_INFO_BTF=y",
    })?;
    let length = end.saturating_sub(start).min(MAX_BTF);
    let data = space.bytes(start, crate::bytes::index(length))?;
    Ok(Btf::parse(data, None)?)
}
