//! Puts the guest together.

use std::sync::Arc;

use inspect::Kernel;
use inspect::dump::{Arch, Dump};
use inspect::memory::{MemoryImage, x86_segments};

use super::btf::Btf;
use super::contents;
use super::kallsyms::{self, Layout};
use super::memory::{DIRECT, Memory, PAGES, RAM, ROOT, TEXT, TEXT_PHYSICAL};

const X86_KERNEL_MAP: u64 = 0xffff_ffff_8000_0000;
/// Offsets into the kernel image.
pub const VMCOREINFO: u64 = TEXT + 0x1000;
pub const UTS: u64 = TEXT + 0x2000;
pub const BTF: u64 = TEXT + 0x4000;
pub const KALLSYMS: u64 = TEXT + 0x2_0000;
/// Where variables start.
pub const DATA: u64 = TEXT + 0x8_0000;
/// The address of a per-CPU variable before 6.15: its offset.
pub const PER_CPU_SYMBOL: u64 = 0x1980;
const RELEASE: &str = "6.99.0-made-up";

/// What differs between guests.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Layout of kallsyms.
    pub layout: Layout,
    /// Whether the kernel has written VMCOREINFO already.
    pub vmcoreinfo: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { layout: Layout::Since6_4, vmcoreinfo: true }
    }
}

/// The guest while it is being made, and its RAM afterwards.
pub struct Guest {
    pub memory: Memory,
    pub btf: Btf,
    /// Address, and kind and name.
    symbols: Vec<(u64, String)>,
    next: u64,
    /// Registers of the vCPU: instruction and stack pointer.
    pub running: (u64, u64),
}

impl Guest {
    /// A guest with everything in it; see `contents`.
    pub fn new(options: Options) -> Self {
        let mut guest = Self {
            memory: Memory::new(),
            btf: contents::types(),
            symbols: Vec::new(),
            next: DATA,
            running: (0, 0),
        };
        contents::fill(&mut guest);
        guest.seal(options);
        guest
    }

    /// Room for a variable with this name.
    pub fn variable(&mut self, name: &str, size: u64) -> u64 {
        let at = self.next;
        self.next = (at + size).next_multiple_of(64);
        self.symbols.push((at, format!("D{name}")));
        at
    }

    /// A function of 256 bytes with this name; gives the address after a call inside of it.
    pub fn function(&mut self, name: &str) -> u64 {
        let at = self.next.next_multiple_of(256);
        self.next = at + 256;
        self.symbols.push((at, format!("T{name}")));
        at + 0x20
    }

    /// Writes a member of 8 bytes.
    pub fn set(&mut self, object: u64, ty: &'static str, member: &'static str, value: u64) {
        let at = object + self.btf.offset(ty, member);
        self.memory.write_u64(at, value);
    }

    /// Writes a member of 4 bytes.
    pub fn set32(&mut self, object: u64, ty: &'static str, member: &'static str, value: u32) {
        let at = object + self.btf.offset(ty, member);
        self.memory.write_u32(at, value);
    }

    fn seal(&mut self, options: Options) {
        let btf = self.btf.bytes();
        self.memory.write(BTF, &btf);
        for (name, base) in [("page_offset_base", DIRECT), ("vmemmap_base", PAGES)] {
            let at = self.variable(name, 8);
            self.memory.write_u64(at, base);
        }
        let fixed = [
            (TEXT, "_text"),
            (TEXT, "_stext"),
            (UTS, "init_uts_ns"),
            (BTF, "__start_BTF"),
            (BTF + btf.len() as u64, "__stop_BTF"),
        ];
        self.symbols.extend(fixed.map(|(at, name)| (at, format!("D{name}"))));
        // Real kernels have many symbols, and the search counts on it.
        let filler =
            (0..700).map(|number| (TEXT + 0x10_0000 + number * 16, format!("tfiller_{number}")));
        self.symbols.extend(filler);
        self.symbols.push((TEXT + 0x20_0000, "D_end".to_owned()));
        if options.layout == Layout::Before6_4 {
            self.symbols.push((PER_CPU_SYMBOL, "Dlow_per_cpu".to_owned()));
        }
        self.symbols.sort();
        let (bytes, tables) = kallsyms::make(options.layout, &self.symbols, KALLSYMS);
        self.memory.write(KALLSYMS, &bytes);
        self.memory.write(UTS + 69, RELEASE.as_bytes());
        if options.vmcoreinfo {
            self.write_vmcoreinfo(&tables);
        }
    }

    fn write_vmcoreinfo(&mut self, tables: &inspect::symbols::Tables) {
        let phys_base = TEXT_PHYSICAL.wrapping_sub(TEXT - X86_KERNEL_MAP).cast_signed();
        let root = (X86_KERNEL_MAP + ROOT).wrapping_add_signed(-phys_base);
        let mut text = format!(
            "OSRELEASE={RELEASE}\nBUILD-ID=abcdef\nPAGESIZE=4096\nSYMBOL(init_uts_ns)={UTS:x}\n\
             SYMBOL(swapper_pg_dir)={root:x}\nNUMBER(phys_base)={phys_base}\nNUMBER(pgtable_l5_enabled)=0\n"
        );
        let parts = [
            ("num_syms", Some(tables.num_syms)),
            ("names", Some(tables.names)),
            ("token_table", Some(tables.token_table)),
            ("token_index", Some(tables.token_index)),
            ("offsets", Some(tables.offsets)),
            ("relative_base", tables.relative_base),
        ];
        for (name, at) in parts {
            if let Some(at) = at {
                text.push_str(&format!("SYMBOL(kallsyms_{name})={at:x}\n"));
            }
        }
        self.memory.write(VMCOREINFO, text.as_bytes());
    }

    /// The guest stopped, with its RAM as it is.
    pub fn dump(&self) -> Dump {
        self.dump_of(self.memory.bytes.clone())
    }

    /// The kernel in it.
    pub fn kernel(&self) -> Kernel {
        Kernel::attach(self.dump()).unwrap()
    }

    /// Other RAM in the place of this guest's.
    pub fn dump_of(&self, bytes: Vec<u8>) -> Dump {
        let memory = MemoryImage::new(bytes, x86_segments(RAM, 1 << 31)).unwrap();
        let (ip, sp) = self.running;
        let registers = [("rip", ip), ("rsp", sp), ("rbp", 0), ("cr3", ROOT), ("cr4", 0)];
        Dump {
            arch: Arch::X86_64,
            memory: Arc::new(memory),
            cpus: vec![registers.into_iter().collect()],
            vmcoreinfo: None,
            reason: None,
        }
    }
}
