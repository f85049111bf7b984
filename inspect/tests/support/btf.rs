//! Makes BTF, and remembers where the members are.

use std::collections::HashMap;

const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const ENUM: u32 = 6;
const VAR: u32 = 14;

/// A struct's members while it is being laid out.
pub struct Struct {
    name: &'static str,
    members: Vec<(&'static str, u32, u32)>,
    at: u32,
}

impl Struct {
    pub fn new(name: &'static str) -> Self {
        Self { name, members: Vec::new(), at: 0 }
    }
}

/// BTF under construction.
pub struct Btf {
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
    sizes: HashMap<u32, u32>,
    named: HashMap<&'static str, u32>,
    offsets: HashMap<(&'static str, &'static str), u64>,
}

impl Btf {
    /// Starts with the integers `u8 u16 u32 u64 s32 char` and a `void *`, called `ptr`.
    pub fn new() -> Self {
        let mut btf = Self {
            types: Vec::new(),
            strings: vec![0],
            count: 0,
            sizes: HashMap::new(),
            named: HashMap::new(),
            offsets: HashMap::new(),
        };
        let ints = [("u8", 1, 0), ("u16", 2, 0), ("u32", 4, 0), ("u64", 8, 0), ("s32", 4, 1)];
        for (name, size, signed) in
            ints.into_iter().chain([("char", 1, 1), ("long unsigned int", 8, 0)])
        {
            let id = btf.raw(name, INT, 0, size, &[(signed << 24) | (size * 8)]);
            btf.remember(name, id, size);
        }
        let id = btf.raw("", PTR, 0, 0, &[]);
        btf.remember("ptr", id, 8);
        btf
    }

    fn remember(&mut self, name: &'static str, id: u32, size: u32) {
        self.named.insert(name, id);
        self.sizes.insert(id, size);
    }

    fn raw(&mut self, name: &str, kind: u32, count: usize, size: u32, tail: &[u32]) -> u32 {
        let name = self.string(name);
        let info = (kind << 24) | u32::try_from(count).unwrap();
        for word in [name, info, size].iter().chain(tail) {
            self.types.extend(word.to_le_bytes());
        }
        self.count += 1;
        self.count
    }

    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let needle: Vec<u8> = [&[0], text.as_bytes(), &[0]].concat();
        let found = self.strings.windows(needle.len()).position(|window| window == needle);
        let at = found.map_or(self.strings.len(), |at| at + 1);
        if found.is_none() {
            self.strings.extend(text.as_bytes());
            self.strings.push(0);
        }
        u32::try_from(at).unwrap()
    }

    pub fn id(&self, name: &str) -> u32 {
        *self.named.get(name).unwrap_or_else(|| panic!("no type {name}"))
    }

    pub fn pointer(&mut self, target: &str) -> u32 {
        let target = self.id(target);
        let id = self.raw("", PTR, 0, target, &[]);
        self.sizes.insert(id, 8);
        id
    }

    pub fn array(&mut self, element: &str, count: u32) -> u32 {
        let element = self.id(element);
        let index = self.id("u32");
        let id = self.raw("", ARRAY, 0, 0, &[element, index, count]);
        self.sizes.insert(id, self.sizes[&element] * count);
        id
    }

    pub fn constant(&mut self, enum_name: &str, name: &str, value: u32) {
        let name = self.string(name);
        self.raw(enum_name, ENUM, 1, 4, &[name, value]);
    }

    pub fn variable(&mut self, name: &str, type_name: &str) {
        let ty = self.id(type_name);
        self.raw(name, VAR, 0, ty, &[1]);
    }

    /// Adds a member of a type given by number, aligned to its size (8 at most).
    pub fn member(&self, mut it: Struct, name: &'static str, ty: u32) -> Struct {
        let size = self.sizes[&ty];
        it.at = it.at.next_multiple_of(size.clamp(1, 8).next_power_of_two());
        it.members.push((name, ty, it.at * 8));
        it.at += size;
        it
    }

    /// A struct of members with named types.
    pub fn structure(&mut self, name: &'static str, members: &[(&'static str, &str)]) {
        let mut it = Struct::new(name);
        for (member, ty) in members {
            it = self.member(it, member, self.id(ty));
        }
        self.finish(it);
    }

    pub fn finish(&mut self, it: Struct) {
        let size = it.at.next_multiple_of(8);
        let mut tail = Vec::new();
        for (member, ty, bits) in &it.members {
            tail.extend([self.string(member), *ty, *bits]);
            self.offsets.insert((it.name, member), u64::from(bits / 8));
        }
        let id = self.raw(it.name, STRUCT, it.members.len(), size, &tail);
        self.remember(it.name, id, size);
    }

    pub fn offset(&self, ty: &'static str, member: &'static str) -> u64 {
        *self.offsets.get(&(ty, member)).unwrap_or_else(|| panic!("no member {ty}.{member}"))
    }

    pub fn size(&self, name: &str) -> u64 {
        self.sizes[&self.id(name)].into()
    }

    /// The section's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        let mut out = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, length(&self.types), length(&self.types), length(&self.strings)] {
            out.extend(u32::to_le_bytes(word));
        }
        out.extend(&self.types);
        out.extend(&self.strings);
        out
    }
}
