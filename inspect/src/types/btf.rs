//! BTF: one pass indexes where types are; everything else is decoded when asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::kind::raw;
use super::members::Layout;
use super::{Kind, TypeError};
use crate::bytes::{array, c_string, u32_at};

/// Number of a type; 0 is `void`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

const MAGIC: u16 = 0xeb9f;
const TYPE_HEADER: usize = 12;
/// Typedefs and modifiers in a row; BTF of real kernels has under ten.
const MAX_CHAIN: usize = 64;

/// The types of a kernel, or of a module on top of its kernel's.
#[derive(Debug)]
pub struct Btf {
    data: Vec<u8>,
    strings: std::ops::Range<usize>,
    /// Offsets of the types in `data`; index 0 is the first type of this section.
    offsets: Vec<u32>,
    /// (name offset, index), ascending.
    names: Vec<(u32, u32)>,
    /// What this section is on top of: the kernel's types, or those of the module before.
    base: Option<Arc<Btf>>,
    /// The kernel's types and strings: a module's BTF counts its own from there on, whatever other modules
    /// are in between.
    kernel_types: usize,
    kernel_strings: usize,
    pub(super) layouts: Mutex<HashMap<TypeId, Arc<Layout>>>,
    constants: OnceLock<HashMap<u32, i64>>,
    /// Where strings are that were asked for before: the same few are, over and over.
    known: Mutex<HashMap<String, Option<usize>>>,
}

/// The fixed part of a type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw {
    pub name: u32,
    pub kind: u32,
    pub count: usize,
    pub flag: bool,
    /// A size or a type, by kind.
    pub size_or_type: u32,
    /// Offset in `data` of what follows.
    pub tail: usize,
}

impl Btf {
    /// Indexes a BTF section. For a module's, `base` is the kernel's, or what another module's made of it:
    /// every type then has a number of its own.
    ///
    /// # Errors
    /// [`TypeError::Damaged`] when the header or a type makes no sense.
    pub fn parse(data: Vec<u8>, base: Option<Arc<Btf>>) -> Result<Self, TypeError> {
        let (types, strings) = sections(&data)?;
        let (kernel_types, kernel_strings) =
            base.as_ref().map_or((1, 0), |base| match &base.base {
                Some(_) => (base.kernel_types, base.kernel_strings),
                None => (base.len(), base.strings.len()),
            });
        let mut btf = Self {
            data,
            strings,
            offsets: Vec::new(),
            names: Vec::new(),
            base,
            kernel_types,
            kernel_strings,
            layouts: Mutex::default(),
            constants: OnceLock::new(),
            known: Mutex::default(),
        };
        btf.index(types)?;
        Ok(btf)
    }

    fn index(&mut self, types: std::ops::Range<usize>) -> Result<(), TypeError> {
        let mut at = types.start;
        while at < types.end {
            let raw = self.raw_at(at).filter(|raw| raw.tail <= types.end);
            let raw = raw.ok_or_else(|| damaged(at, "a type is cut off"))?;
            let length = raw::tail_length(raw.kind, raw.count).ok_or_else(|| {
                damaged(at, format!("type kind {} is newer than this kharness", raw.kind))
            })?;
            let index =
                u32::try_from(self.offsets.len()).map_err(|_| damaged(at, "too many types"))?;
            self.offsets.push(u32::try_from(at).map_err(|_| damaged(at, "section over 4 GiB"))?);
            if raw.name != 0 && is_named(raw.kind) {
                self.names.push((raw.name, index));
            }
            at = raw.tail + length;
        }
        self.names.sort_unstable();
        Ok(())
    }

    /// Number of types, those of the base included; `void` counts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.first_own() + self.offsets.len()
    }

    /// Whether there is no type but `void`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 1
    }

    fn first_own(&self) -> usize {
        self.base.as_ref().map_or(1, |base| base.len())
    }

    fn raw_at(&self, at: usize) -> Option<Raw> {
        let header: [u8; TYPE_HEADER] = array(&self.data, at)?;
        let info = u32_at(&header, 4)?;
        Some(Raw {
            name: u32_at(&header, 0)?,
            kind: (info >> 24) & 0x1f,
            count: (info & 0xffff) as usize,
            flag: info >> 31 != 0,
            size_or_type: u32_at(&header, 8)?,
            tail: at + TYPE_HEADER,
        })
    }

    /// The section that holds a type, and its fixed part.
    pub(super) fn raw(&self, id: TypeId) -> Option<(&Self, Raw)> {
        let first = self.first_own();
        match (id.0 as usize).checked_sub(first) {
            Some(index) => {
                let at = *self.offsets.get(index)?;
                Some((self, self.raw_at(at as usize)?))
            }
            None => self.base.as_ref()?.raw(id),
        }
    }

    /// The type that this section means by a number.
    pub(super) fn own(&self, number: u32) -> TypeId {
        let number = number as usize;
        let id = match number.checked_sub(self.kernel_types) {
            Some(index) if self.base.is_some() => self.first_own().saturating_add(index),
            _ => number,
        };
        TypeId(u32::try_from(id).unwrap_or(u32::MAX))
    }

    /// The `n`-th 32-bit word of a type's tail.
    pub(super) fn word(&self, raw: &Raw, n: usize) -> u32 {
        u32_at(&self.data, raw.tail + 4 * n).unwrap_or(0)
    }

    /// The string at an offset of the string section; strings of a module follow its base's.
    pub(super) fn string(&self, offset: u32) -> &str {
        let bytes = match (offset as usize).checked_sub(self.kernel_strings) {
            Some(own) => c_string(&self.data[self.strings.clone()], own),
            None => return self.kernel().string(offset),
        };
        bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
    }

    /// The section without a base.
    fn kernel(&self) -> &Self {
        self.base.as_ref().map_or(self, |base| base.kernel())
    }

    /// The name of a type; empty for one that has none.
    #[must_use]
    pub fn name(&self, id: TypeId) -> &str {
        self.raw(id).map_or("", |(btf, raw)| btf.name_of(&raw))
    }

    fn name_of(&self, raw: &Raw) -> &str {
        self.string(raw.name)
    }

    /// Decodes a type. What does not exist is `Void`.
    #[must_use]
    pub fn kind(&self, id: TypeId) -> Kind {
        let Some((btf, raw)) = self.raw(id) else {
            return Kind::Void;
        };
        let size = u64::from(raw.size_or_type);
        let target = btf.own(raw.size_or_type);
        match raw.kind {
            raw::INT => {
                let encoding = btf.word(&raw, 0) >> 24;
                Kind::Int { size, signed: encoding & 1 != 0, boolean: encoding & 4 != 0 }
            }
            raw::PTR => Kind::Pointer(target),
            raw::ARRAY => {
                Kind::Array { element: btf.own(btf.word(&raw, 0)), count: btf.word(&raw, 2) }
            }
            raw::STRUCT => Kind::Struct { size },
            raw::UNION => Kind::Union { size },
            raw::ENUM | raw::ENUM64 => Kind::Enum { size, signed: raw.flag },
            raw::FWD => Kind::Forward,
            raw::TYPEDEF => Kind::Typedef(target),
            raw::VOLATILE | raw::CONST | raw::RESTRICT | raw::TYPE_TAG => Kind::Modifier(target),
            raw::FUNC | raw::FUNC_PROTO => Kind::Function,
            raw::VAR => Kind::Variable(target),
            raw::DATASEC => Kind::Section,
            raw::FLOAT => Kind::Float { size },
            _ => Kind::Tag,
        }
    }

    /// The type behind typedefs and modifiers. A circle of them is `void`.
    #[must_use]
    pub fn resolve(&self, id: TypeId) -> TypeId {
        let mut id = id;
        for _ in 0..MAX_CHAIN {
            match self.kind(id) {
                Kind::Typedef(target) | Kind::Modifier(target) => id = target,
                _ => return id,
            }
        }
        TypeId(0)
    }

    /// Size in bytes; 0 for what has none.
    #[must_use]
    pub fn size(&self, id: TypeId) -> u64 {
        let mut id = id;
        let mut elements = 1_u64;
        for _ in 0..MAX_CHAIN {
            match self.kind(self.resolve(id)) {
                Kind::Array { element, count } => {
                    elements = elements.saturating_mul(count.into());
                    id = element;
                }
                Kind::Pointer(_) => return elements.saturating_mul(8),
                Kind::Int { size, .. }
                | Kind::Struct { size }
                | Kind::Union { size }
                | Kind::Enum { size, .. }
                | Kind::Float { size } => return elements.saturating_mul(size),
                _ => return 0,
            }
        }
        0
    }

    /// All structs, unions, enums, typedefs, integers and variables of this name; the kernel's first.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<TypeId> {
        let mut found = self.base.as_ref().map_or_else(Vec::new, |base| base.all(name));
        // A module's type may be called by a string that the kernel has, too.
        let own = self.string_offset(name).map(|at| self.kernel_strings + at);
        let shared = self.base.as_ref().and_then(|_| self.kernel().string_offset(name));
        for offset in [shared, own].into_iter().flatten() {
            let offset = u32::try_from(offset).unwrap_or(u32::MAX);
            let start = self.names.partition_point(|(name, _)| *name < offset);
            let own = self.names[start..].iter().take_while(|(name, _)| *name == offset);
            let first = u32::try_from(self.first_own()).unwrap_or(u32::MAX);
            found.extend(own.map(|(_, index)| TypeId(first.saturating_add(*index))));
        }
        found
    }

    /// Where `name` is in the string section, which holds every string once.
    fn string_offset(&self, name: &str) -> Option<usize> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = known.get(name) {
            return *at;
        }
        let at = self.search_string(name);
        known.insert(name.to_owned(), at);
        at
    }

    fn search_string(&self, name: &str) -> Option<usize> {
        let mut needle = vec![0];
        needle.extend(name.as_bytes());
        needle.push(0);
        let strings = &self.data[self.strings.clone()];
        memchr::memmem::find(strings, &needle).map(|at| at + 1)
    }

    /// The struct or union of this name, else the type that a typedef of this name stands for, else an
    /// enum or integer. Of two structs of one name the kernel's own comes before a module's, and the one with
    /// the most members before a driver's private one.
    ///
    /// # Errors
    /// [`TypeError::UnknownType`], without suggestions: see [`Btf::names_like`].
    pub fn find(&self, name: &str) -> Result<TypeId, TypeError> {
        self.all(name)
            .into_iter()
            .filter(|id| !matches!(self.kind(*id), Kind::Variable(_) | Kind::Forward))
            .max_by_key(|id| {
                let rank = match self.kind(*id) {
                    Kind::Struct { .. } | Kind::Union { .. } => 2,
                    Kind::Typedef(_) => 1,
                    _ => 0,
                };
                let members = self.raw(*id).map_or(0, |(_, raw)| raw.count);
                (rank, (id.0 as usize) < self.kernel().len(), members)
            })
            .map(|id| self.resolve(id))
            .ok_or_else(|| TypeError::UnknownType { name: name.to_owned(), nearest: Vec::new() })
    }

    /// Names of types like a wrong one. Looks at every name: for error messages only.
    #[must_use]
    pub fn names_like(&self, wrong: &str) -> Vec<String> {
        let own = self.names.iter().map(|(name, _)| self.string(*name));
        let mut all: Vec<&str> = own.collect();
        let mut below = self.base.as_deref();
        while let Some(btf) = below {
            all.extend(btf.names.iter().map(|(name, _)| btf.string(*name)));
            below = btf.base.as_deref();
        }
        crate::suggest::nearest(wrong, all.into_iter())
    }

    /// The type of a per-CPU variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<TypeId> {
        self.all(name).into_iter().find_map(|id| match self.kind(id) {
            Kind::Variable(target) => Some(target),
            _ => None,
        })
    }

    /// The enumerators of an enum: name and value.
    #[must_use]
    pub fn enumerators(&self, id: TypeId) -> Vec<(&str, i64)> {
        let Some((btf, raw)) = self.raw(self.resolve(id)) else {
            return Vec::new();
        };
        let words = match raw.kind {
            raw::ENUM => 2,
            raw::ENUM64 => 3,
            _ => return Vec::new(),
        };
        let value = |index: usize| {
            let low = btf.word(&raw, words * index + 1);
            if words == 2 {
                return if raw.flag { low.cast_signed().into() } else { low.into() };
            }
            let high = btf.word(&raw, words * index + 2);
            (u64::from(high) << 32 | u64::from(low)).cast_signed()
        };
        (0..raw.count)
            .map(|index| (btf.string(btf.word(&raw, words * index)), value(index)))
            .collect()
    }

    /// The value of an enumerator of any enum of the kernel's, also of one without a name.
    #[must_use]
    pub fn constant(&self, name: &str) -> Option<i64> {
        let kernel = self.kernel();
        let constants = kernel.constants.get_or_init(|| kernel.all_constants());
        let offset = u32::try_from(kernel.string_offset(name)?).ok()?;
        constants.get(&offset).copied()
    }

    fn all_constants(&self) -> HashMap<u32, i64> {
        let mut constants = HashMap::new();
        for at in &self.offsets {
            let Some(raw) = self.raw_at(*at as usize).filter(|raw| raw.kind == raw::ENUM) else {
                continue;
            };
            for index in 0..raw.count {
                let value = self.word(&raw, 2 * index + 1);
                let value = if raw.flag { value.cast_signed().into() } else { value.into() };
                constants.entry(self.word(&raw, 2 * index)).or_insert(value);
            }
        }
        constants
    }
}

fn is_named(kind: u32) -> bool {
    matches!(
        kind,
        raw::INT | raw::STRUCT | raw::UNION | raw::ENUM | raw::ENUM64 | raw::TYPEDEF | raw::VAR
    )
}

fn damaged(offset: usize, reason: impl Into<String>) -> TypeError {
    TypeError::Damaged { offset, reason: reason.into() }
}

type Section = std::ops::Range<usize>;

/// The type and string sections, from the header.
fn sections(data: &[u8]) -> Result<(Section, Section), TypeError> {
    let word = |at| u32_at(data, at).map(|word| word as usize);
    if crate::bytes::u16_at(data, 0) != Some(MAGIC) {
        return Err(damaged(0, "no BTF magic 0xeb9f"));
    }
    let header = word(4).ok_or_else(|| damaged(4, "the header is cut off"))?;
    let section = |at: usize| {
        let start = header.checked_add(word(at)?)?;
        let end = start.checked_add(word(at + 4)?)?;
        (end <= data.len()).then_some(start..end)
    };
    let get = |at| section(at).ok_or_else(|| damaged(at, "a section reaches past the end"));
    Ok((get(8)?, get(16)?))
}
