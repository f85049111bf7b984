//! Members of structs and unions, and paths to them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use super::kind::raw;
use super::{Btf, Kind, TypeError, TypeId};

/// Anonymous structs inside of each other; C code has under five.
const MAX_NESTING: u32 = 16;
/// Members of one struct with all its anonymous parts, and those parts; `task_struct` has some 280.
const MAX_MEMBERS: usize = 20_000;

/// A member of a struct or union. Members of anonymous parts count as the struct's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Name.
    pub name: String,
    /// Offset from the start of the struct, in bits.
    pub bit_offset: u64,
    /// Width in bits of a bit-field; 0 for everything else.
    pub bits: u32,
    /// Type.
    pub ty: TypeId,
}

/// Where a value is inside of another, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Offset in bits.
    pub bit_offset: u64,
    /// Width in bits of a bit-field; 0 for everything else.
    pub bits: u32,
    /// Type.
    pub ty: TypeId,
}

/// All members of a struct, in order, and their index by name.
#[derive(Debug, Default)]
pub(super) struct Layout {
    members: Vec<Member>,
    by_name: HashMap<String, usize>,
    looked_at: usize,
}

impl Layout {
    fn add(&mut self, member: Member) {
        let index = self.members.len();
        self.by_name.entry(member.name.clone()).or_insert(index);
        self.members.push(member);
    }
}

impl Btf {
    /// The members of a struct or union, in order; none for other types.
    #[must_use]
    pub fn members(&self, id: TypeId) -> Vec<Member> {
        self.layout(id).members.clone()
    }

    /// A member by name.
    ///
    /// # Errors
    /// [`TypeError::UnknownMember`], with the nearest names; [`TypeError::Mismatch`] for a type without
    /// members.
    pub fn member(&self, id: TypeId, name: &str) -> Result<Member, TypeError> {
        let layout = self.layout(id);
        if let Some(&index) = layout.by_name.get(name) {
            return Ok(layout.members[index].clone());
        }
        let parent = self.describe(id);
        if layout.members.is_empty() {
            return Err(TypeError::Mismatch {
                what: name.to_owned(),
                found: parent,
                wanted: "members",
            });
        }
        let names = layout.members.iter().map(|member| member.name.as_str());
        Err(TypeError::UnknownMember {
            parent,
            name: name.to_owned(),
            nearest: crate::suggest::nearest(name, names),
        })
    }

    /// Follows a path like `a.b[2].c` through members and array elements; not through pointers.
    ///
    /// # Errors
    /// [`TypeError`] for a member or an index that is not there.
    pub fn place(&self, id: TypeId, path: &str) -> Result<Place, TypeError> {
        let mut place = Place { bit_offset: 0, bits: 0, ty: id };
        for part in path.split('.') {
            let (name, indices) =
                split_indices(part).ok_or_else(|| TypeError::Syntax { path: path.to_owned() })?;
            let member = self.member(place.ty, name)?;
            place = Place {
                bit_offset: place.bit_offset.saturating_add(member.bit_offset),
                bits: member.bits,
                ty: member.ty,
            };
            for index in indices {
                place = self.element(place, index, part)?;
            }
        }
        Ok(place)
    }

    /// The `index`-th element of an array. The last index is not checked against the count: flexible
    /// arrays have a count of 0 or 1.
    fn element(&self, place: Place, index: u64, what: &str) -> Result<Place, TypeError> {
        let Kind::Array { element, .. } = self.kind(self.resolve(place.ty)) else {
            return Err(TypeError::Mismatch {
                what: what.to_owned(),
                found: self.describe(place.ty),
                wanted: "elements",
            });
        };
        let bits = self.size(element).saturating_mul(8).saturating_mul(index);
        Ok(Place { bit_offset: place.bit_offset.saturating_add(bits), bits: 0, ty: element })
    }

    fn layout(&self, id: TypeId) -> Arc<Layout> {
        let id = self.resolve(id);
        let lock = || self.layouts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layout) = lock().get(&id) {
            return Arc::clone(layout);
        }
        let mut layout = Layout::default();
        self.collect(id, 0, MAX_NESTING, &mut layout);
        let layout = Arc::new(layout);
        lock().insert(id, Arc::clone(&layout));
        layout
    }

    fn collect(&self, id: TypeId, base: u64, depth: u32, layout: &mut Layout) {
        let Some((btf, raw)) = self.raw(self.resolve(id)) else {
            return;
        };
        if depth == 0 || !matches!(raw.kind, raw::STRUCT | raw::UNION) {
            return;
        }
        for index in 0..raw.count {
            layout.looked_at += 1;
            if layout.looked_at > MAX_MEMBERS {
                return;
            }
            let word = |n| btf.word(&raw, 3 * index + n);
            let (name, ty, offset) = (btf.string(word(0)), btf.own(word(1)), word(2));
            // With the flag set, the upper byte of the offset is the width of a bit-field.
            let (bits, offset) =
                if raw.flag { (offset >> 24, offset & 0x00ff_ffff) } else { (0, offset) };
            let bit_offset = base.saturating_add(offset.into());
            if name.is_empty() {
                self.collect(ty, bit_offset, depth - 1, layout);
            } else {
                layout.add(Member { name: name.to_owned(), bit_offset, bits, ty });
            }
        }
    }
}

/// `name[1][2]` as name and indices.
fn split_indices(part: &str) -> Option<(&str, Vec<u64>)> {
    let (name, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
    let mut indices = Vec::new();
    while let Some(tail) = rest.strip_prefix('[') {
        let (index, next) = tail.split_once(']')?;
        indices.push(index.parse().ok()?);
        rest = next;
    }
    (rest.is_empty() && !name.is_empty()).then_some((name, indices))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_split_off_a_name() {
        assert_eq!(split_indices("mem[2]"), Some(("mem", vec![2])));
        assert_eq!(split_indices("a[1][22]"), Some(("a", vec![1, 22])));
        assert_eq!(split_indices("plain"), Some(("plain", vec![])));
        for bad in ["", "[1]", "a[", "a[x]", "a[1]b"] {
            assert_eq!(split_indices(bad), None, "{bad}");
        }
    }
}
