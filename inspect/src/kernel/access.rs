//! Typed reads: a member resolved once, then read from as many objects as there are.

use super::{Error, Kernel};
use crate::bytes::{sign_extend, unsigned};
use crate::types::{Kind, Place, TypeError, TypeId};

/// Longest `char` array read as text.
const MAX_TEXT: u64 = 4096;

/// A member of a struct, resolved to where it is and how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Offset in bytes of the bytes that hold it.
    pub offset: u64,
    /// Bytes to read.
    pub size: u64,
    /// Type.
    pub ty: TypeId,
    /// Bits below the value in those bytes, and width; `None` for all but bit-fields.
    bits: Option<(u32, u32)>,
    signed: bool,
}

impl Field {
    /// The value of this member of an object whose bytes were read before; `None` if it is cut off.
    #[must_use]
    pub fn value(&self, object: &[u8]) -> Option<u64> {
        let start = crate::bytes::index(self.offset);
        let end = start.checked_add(crate::bytes::index(self.size.min(8)))?;
        object.get(start..end).map(|bytes| self.extract(unsigned(bytes)))
    }

    /// The value out of the bytes that hold it.
    fn extract(&self, raw: u64) -> u64 {
        match self.bits {
            Some((shift, width)) => {
                (raw >> shift.min(63)) & (u64::MAX >> (64 - width.clamp(1, 64)))
            }
            None => raw,
        }
    }
}

impl Kernel {
    /// The member at `path` (such as `signal.flags` within one object, no pointers) of a named type.
    ///
    /// # Errors
    /// [`Error::Type`] where this kernel has no such type or member.
    pub fn field(&self, type_name: &str, path: &str) -> Result<Field, Error> {
        let ty = self.types().find(type_name)?;
        Ok(self.field_of(self.types().place(ty, path)?))
    }

    /// The first of several members that this kernel has: they move and are renamed between versions.
    ///
    /// # Errors
    /// [`Error::Type`] for the last of them, where the kernel has none.
    pub fn field_any(&self, candidates: &[(&str, &str)]) -> Result<Field, Error> {
        let none = TypeError::Syntax { path: String::new() };
        let mut last = Error::Type(none);
        for (type_name, path) in candidates {
            match self.field(type_name, path) {
                Ok(field) => return Ok(field),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Offset in bytes of a member.
    ///
    /// # Errors
    /// As [`Kernel::field`].
    pub fn offset(&self, type_name: &str, path: &str) -> Result<u64, Error> {
        Ok(self.field(type_name, path)?.offset)
    }

    /// Size in bytes of a named type.
    ///
    /// # Errors
    /// [`Error::Type`] where this kernel has no such type.
    pub fn size_of(&self, type_name: &str) -> Result<u64, Error> {
        Ok(self.types().size(self.types().find(type_name)?))
    }

    pub(crate) fn field_of(&self, place: Place) -> Field {
        let types = self.types();
        let resolved = types.resolve(place.ty);
        let signed = matches!(
            types.kind(resolved),
            Kind::Int { signed: true, .. } | Kind::Enum { signed: true, .. }
        );
        let size = types.size(resolved);
        if place.bits == 0 {
            return Field { offset: place.bit_offset / 8, size, ty: place.ty, bits: None, signed };
        }
        let shift = u32::try_from(place.bit_offset % 8).unwrap_or(0);
        Field {
            offset: place.bit_offset / 8,
            size: u64::from((shift + place.bits).div_ceil(8)),
            ty: place.ty,
            bits: Some((shift, place.bits)),
            signed,
        }
    }

    /// The value of a member of the object at `base`: integers, enums, pointers, bit-fields.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn get(&self, base: u64, field: Field) -> Result<u64, Error> {
        let size = crate::bytes::index(field.size.min(8));
        let at = base.wrapping_add(field.offset);
        Ok(field.extract(self.space().unsigned(at, size)?))
    }

    /// The value of a member whose type may be signed.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn get_signed(&self, base: u64, field: Field) -> Result<i64, Error> {
        let raw = self.get(base, field)?;
        let whole = u32::try_from(field.size.min(8) * 8).unwrap_or(64);
        let width = field.bits.map_or(whole, |(_, width)| width);
        Ok(if field.signed { sign_extend(raw, width) } else { raw.cast_signed() })
    }

    /// The text in a `char` array, up to its NUL.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn text(&self, base: u64, field: Field) -> Result<String, Error> {
        let length = crate::bytes::index(field.size.min(MAX_TEXT));
        let bytes = self.space().bytes(base.wrapping_add(field.offset), length)?;
        let end = memchr::memchr(0, &bytes).unwrap_or(bytes.len());
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    /// The string that a `char *` member points to.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn text_at(&self, base: u64, field: Field) -> Result<String, Error> {
        let pointer = self.get(base, field)?;
        Ok(self.space().string(pointer, crate::bytes::index(MAX_TEXT))?)
    }

    /// The value of a global variable of 1 to 8 bytes.
    ///
    /// # Errors
    /// [`Error::Symbol`], [`Error::Memory`].
    pub fn global(&self, symbol: &str, size: usize) -> Result<u64, Error> {
        Ok(self.space().unsigned(self.symbols().address(symbol)?, size)?)
    }
}
