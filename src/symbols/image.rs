//! One ELF file, a vmlinux or a module: from `function+0x1/0x2` to source lines.
//!
//! Functions are looked up by name and size, so that the kernel's random base address (KASLR) does not matter, and a
//! vmlinux of another build is noticed.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use addr2line::Loader;
use object::{Object, ObjectSection, ObjectSymbol, ReadCache};

use super::SymbolsError;

/// Bytes of `.rodata` that are searched for the banner at most.
const BANNER_SEARCH: usize = 64 << 20;
const BANNER: &[u8] = b"Linux version ";

/// A function of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Function {
    address: u64,
    size: u64,
    /// Bytes up to the next function; `u64::MAX` behind the last one of a section.
    room: u64,
}

impl Function {
    /// Whether a kernel prints it with this size: in its symbol table a function ends where the next symbol begins
    /// (`kernel/kallsyms.c: get_symbol_pos`), so the padding between them counts.
    fn fits(&self, printed: u64) -> bool {
        (self.size..=self.room).contains(&printed)
    }
}

/// What is known of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Functions with their source lines, innermost first; all but the last were inlined.
    Lines(Vec<(String, Option<String>)>),
    /// The function has another size here: the file is of another build.
    OtherBuild,
    /// Nothing.
    Unknown,
}

/// The symbols and debugging information of one file.
pub(super) struct Image {
    functions: HashMap<String, Vec<Function>>,
    dwarf: Loader,
    release: Option<String>,
    build_id: Option<String>,
    /// Where it was built, to be cut off paths.
    root: String,
}

impl Image {
    /// Reads the symbols of the file at `path`; its debugging information is read as it is needed.
    ///
    /// # Errors
    /// When it cannot be read, or has no symbols or no debugging information.
    pub fn open(path: &Path) -> Result<Self, SymbolsError> {
        let name = || path.display().to_string();
        let file =
            File::open(path).map_err(|source| SymbolsError::Read { path: name(), source })?;
        let cache = ReadCache::new(file);
        let elf = object::File::parse(&cache)
            .map_err(|why| SymbolsError::NoSymbols { path: name(), why: why.to_string() })?;
        let functions = functions(&elf);
        if functions.is_empty() {
            let why = "it has no functions in its symbol table".to_owned();
            return Err(SymbolsError::NoSymbols { path: name(), why });
        }
        let no_dwarf = |why: String| SymbolsError::NoDwarf { path: name(), why };
        if elf.section_by_name(".debug_info").is_none() {
            return Err(no_dwarf("no section .debug_info".to_owned()));
        }
        let (release, build_id) = (release(&elf), build_id(&elf));
        let dwarf = Loader::new(path).map_err(|why| no_dwarf(why.to_string()))?;
        let mut image = Self { functions, dwarf, release, build_id, root: String::new() };
        image.root = image.find_root();
        Ok(image)
    }

    /// The kernel's release, as its banner says it.
    pub fn release(&self) -> Option<&str> {
        self.release.as_deref()
    }

    /// The build ID (`ld --build-id`), in hexadecimal digits.
    pub fn build_id(&self) -> Option<&str> {
        self.build_id.as_deref()
    }

    /// The source lines at `offset` in the function `name` of `size` bytes.
    pub fn place(&self, name: &str, offset: u64, size: u64) -> Place {
        let Some(candidates) = self.functions.get(name) else { return Place::Unknown };
        let mut fitting = candidates.iter().filter(|function| function.fits(size));
        match (fitting.next(), fitting.next()) {
            (Some(function), None) => self.lines(function.address.saturating_add(offset)),
            // Functions of the same name and size in several files: which one cannot be told.
            (Some(_), Some(_)) => Place::Unknown,
            (None, _) => Place::OtherBuild,
        }
    }

    /// The source lines at an address of the file, as it was linked.
    pub fn lines(&self, address: u64) -> Place {
        let lines = self.frames(address).unwrap_or_default();
        if lines.is_empty() { Place::Unknown } else { Place::Lines(lines) }
    }

    fn frames(&self, address: u64) -> Option<Vec<(String, Option<String>)>> {
        let mut found = Vec::new();
        let mut frames = self.dwarf.find_frames(address).ok()?;
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.and_then(|name| Some(name.raw_name().ok()?.into_owned()));
            let line = frame
                .location
                .and_then(|place| Some(format!("{}:{}", self.short(place.file?), place.line?)));
            found.push((name.unwrap_or_else(|| "?".to_owned()), line));
        }
        Some(found)
    }

    /// The path below the root of the sources.
    fn short<'a>(&self, path: &'a str) -> &'a str {
        path.strip_prefix(self.root.as_str()).unwrap_or(path).trim_start_matches("./")
    }

    /// The directory that the build ran in, from the path of a file that every kernel has.
    fn find_root(&self) -> String {
        let start = self.functions.get("start_kernel").and_then(|found| found.first());
        let path =
            start.and_then(|function| self.dwarf.find_location(function.address).ok()??.file);
        let root = path.and_then(|path| path.strip_suffix("init/main.c"));
        root.unwrap_or_default().to_owned()
    }
}

fn functions<'a>(elf: &impl Object<'a>) -> HashMap<String, Vec<Function>> {
    let mut found: Vec<_> = elf
        .symbols()
        .filter(|symbol| symbol.kind() == object::SymbolKind::Text)
        .map(|symbol| (symbol.section_index().map(|index| index.0), symbol.address(), symbol))
        .collect();
    found.sort_unstable_by_key(|&(section, address, _)| (section, address));
    let mut functions: HashMap<String, Vec<Function>> = HashMap::new();
    let (mut room, mut next) = (u64::MAX, None);
    for (section, address, symbol) in found.into_iter().rev() {
        // Several names of one function have the same room.
        if next != Some((section, address)) {
            let behind = next.filter(|&(other, _)| other == section);
            room = behind.map_or(u64::MAX, |(_, next)| next - address);
            next = Some((section, address));
        }
        if let Ok(name) = symbol.name() {
            let function = Function { address, size: symbol.size(), room };
            functions.entry(name.to_owned()).or_default().push(function);
        }
    }
    functions
}

fn build_id<'a>(elf: &impl Object<'a>) -> Option<String> {
    let id = elf.build_id().ok()??;
    Some(id.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The second word behind `Linux version` in the read-only data (`init/version.c`).
fn release<'a>(elf: &impl Object<'a>) -> Option<String> {
    let data = elf.section_by_name(".rodata")?.data().ok()?;
    let data = &data[..data.len().min(BANNER_SEARCH)];
    let at = memchr::memmem::find(data, BANNER)? + BANNER.len();
    let word = data[at..].split(|&byte| byte == b' ').next()?;
    (word.len() < 128).then(|| String::from_utf8_lossy(word).into_owned())
}
