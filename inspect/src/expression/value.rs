//! Values on the way through an expression.

use super::ExpressionError;
use crate::kernel::{Error, Kernel};
use crate::types::{Kind, Place, TypeId};

/// A type, with pointers to it that the kernel's BTF need not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Type {
    pub id: TypeId,
    pub pointers: u32,
}

/// Where a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    /// In guest memory; `bits` as in [`Place`], `bit_offset` under 8.
    Memory { address: u64, bit_offset: u64, bits: u32 },
    /// Made by the expression itself.
    Immediate(u64),
}

/// A value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    pub ty: Type,
    pub storage: Storage,
}

impl Type {
    pub fn describe(self, kernel: &Kernel) -> String {
        let name = kernel.types().describe(self.id);
        match "*".repeat(self.pointers as usize).as_str() {
            "" => name,
            stars if name.ends_with('*') => format!("{name}{stars}"),
            stars => format!("{name} {stars}"),
        }
    }

    /// What a value of this type points to, if it is a pointer.
    pub fn target(self, kernel: &Kernel) -> Option<Self> {
        if let Some(pointers) = self.pointers.checked_sub(1) {
            return Some(Self { pointers, ..self });
        }
        match kernel.types().kind(kernel.types().resolve(self.id)) {
            Kind::Pointer(id) => Some(Self { id, pointers: 0 }),
            _ => None,
        }
    }
}

impl Value {
    pub fn at(ty: Type, address: u64) -> Self {
        Self { ty, storage: Storage::Memory { address, bit_offset: 0, bits: 0 } }
    }

    /// The address of a value in memory.
    pub fn address(&self) -> Option<u64> {
        match self.storage {
            Storage::Memory { address, .. } => Some(address),
            Storage::Immediate(_) => None,
        }
    }

    /// Whether it is a struct, a union or an array.
    pub fn is_aggregate(&self, kernel: &Kernel) -> bool {
        let kind = kernel.types().kind(kernel.types().resolve(self.ty.id));
        self.ty.pointers == 0
            && matches!(kind, Kind::Struct { .. } | Kind::Union { .. } | Kind::Array { .. })
    }

    fn mismatch(&self, kernel: &Kernel, wanted: &'static str) -> ExpressionError {
        ExpressionError::Mismatch { found: self.ty.describe(kernel), wanted }
    }

    /// Reads a scalar: integer, enum or pointer.
    pub fn scalar(&self, kernel: &Kernel) -> Result<u64, Error> {
        let (address, place) = match self.storage {
            Storage::Immediate(value) => return Ok(value),
            Storage::Memory { address, .. } if self.ty.pointers > 0 => {
                return Ok(kernel.space().u64(address)?);
            }
            Storage::Memory { address, bit_offset, bits } => {
                let ty = self.ty.id;
                (address, Place { bit_offset, bits, ty })
            }
        };
        let value = kernel.get_signed(address, kernel.field_of(place))?;
        Ok(value.cast_unsigned())
    }

    /// What a pointer points to.
    pub fn follow(&self, kernel: &Kernel) -> Result<Self, ExpressionError> {
        let target = self.ty.target(kernel);
        let target = target.ok_or_else(|| self.mismatch(kernel, "target: it is no pointer"))?;
        Ok(Self::at(target, self.scalar(kernel)?))
    }

    /// A pointer to a value in memory.
    pub fn reference(&self, kernel: &Kernel) -> Result<Self, ExpressionError> {
        let address = self.address().ok_or_else(|| self.mismatch(kernel, "address"))?;
        Ok(Self {
            ty: Type { pointers: self.ty.pointers + 1, ..self.ty },
            storage: Storage::Immediate(address),
        })
    }

    /// A member; pointers on the way are followed, so that `.` and `->` mean the same.
    pub fn member(&self, kernel: &Kernel, name: &str) -> Result<Self, ExpressionError> {
        if self.ty.target(kernel).is_some() {
            return self.follow(kernel)?.member(kernel, name);
        }
        let member = kernel.types().member(self.ty.id, name)?;
        let base = self.address().ok_or_else(|| self.mismatch(kernel, "members"))?;
        Ok(self.part(base, member.bit_offset, member.bits, member.ty))
    }

    /// An element of an array, or of memory behind a pointer.
    pub fn element(&self, kernel: &Kernel, index: u64) -> Result<Self, ExpressionError> {
        let (base, ty) = match (self.ty.target(kernel), self.ty.pointers) {
            (Some(target), _) => (self.scalar(kernel)?, target),
            (None, _) => {
                let kind = kernel.types().kind(kernel.types().resolve(self.ty.id));
                let (Kind::Array { element, .. }, Some(base)) = (kind, self.address()) else {
                    return Err(self.mismatch(kernel, "elements"));
                };
                (base, Type { id: element, pointers: 0 })
            }
        };
        let size = if ty.pointers > 0 { 8 } else { kernel.types().size(ty.id) };
        Ok(Self::at(ty, base.wrapping_add(size.wrapping_mul(index))))
    }

    fn part(&self, base: u64, bit_offset: u64, bits: u32, id: TypeId) -> Self {
        Self {
            ty: Type { id, pointers: 0 },
            storage: Storage::Memory {
                address: base.wrapping_add(bit_offset / 8),
                bit_offset: bit_offset % 8,
                bits,
            },
        }
    }
}
