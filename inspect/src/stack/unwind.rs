//! One step of an unwind after the other.

use super::orc::{Base, Entry, Shape, Tables};
use crate::dump::Registers;
use crate::kernel::{Error, Kernel};
use crate::memory::PageTable;

/// Frames of one stack at most.
pub(super) const MAX_FRAMES: usize = 256;

/// Offsets in the x86-64 `struct pt_regs`, arch/x86/include/asm/ptrace.h.
mod pt_regs {
    pub(super) const R13: u64 = 16;
    pub(super) const BP: u64 = 32;
    pub(super) const R10: u64 = 56;
    pub(super) const DX: u64 = 96;
    pub(super) const DI: u64 = 112;
    pub(super) const IP: u64 = 128;
    pub(super) const CS: u64 = 136;
    pub(super) const SP: u64 = 152;
}
/// The privilege level in a code segment selector; 0 is the kernel.
const CS_PRIVILEGE: u64 = 3;

/// Where the registers other than the stack and frame pointers can be had.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Lost,
    Cpu(Registers),
    Saved(u64),
}

/// A frame on the way up.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    pub ip: u64,
    pub sp: u64,
    pub bp: u64,
    pub source: Source,
    /// Whether `ip` is the instruction itself, and not the one after a call.
    pub exact: bool,
}

/// What a step led to.
pub(super) enum Step {
    Frame(Cursor),
    User,
    End,
    Broke(String),
}

/// The caller's frame by ORC.
pub(super) fn orc_step(kernel: &Kernel, tables: &Tables, at: &Cursor) -> Step {
    // A call at the very end of a function returns to the next one.
    let ip = if at.exact { at.ip } else { at.ip.wrapping_sub(1) };
    let Some(entry) = tables.find(kernel, ip) else {
        return Step::Broke(format!("no ORC entry for {:#x}", at.ip));
    };
    match entry.shape {
        Shape::EndOfStack => Step::End,
        Shape::Undefined => Step::Broke(format!("the ORC entry for {:#x} is undefined", at.ip)),
        _ => caller(kernel, &entry, at).unwrap_or_else(|error| Step::Broke(error.to_string())),
    }
}

fn caller(kernel: &Kernel, entry: &Entry, at: &Cursor) -> Result<Step, Error> {
    let Some(frame) = frame_address(kernel, entry, at)? else {
        let what = format!("{:?} is not known at {:#x}", entry.sp_base, at.ip);
        return Ok(Step::Broke(what));
    };
    let word = |address: u64| kernel.space().u64(address);
    if entry.shape == Shape::Call {
        return Ok(Step::Frame(Cursor {
            ip: word(frame.wrapping_sub(8))?,
            sp: frame,
            bp: saved_bp(kernel, entry, at, frame)?,
            source: Source::Lost,
            exact: false,
        }));
    }
    // An interrupt pushes only the last five words of pt_regs.
    let whole = entry.shape == Shape::Registers;
    let saved = if whole { frame } else { frame.wrapping_sub(pt_regs::IP) };
    if word(saved.wrapping_add(pt_regs::CS))? & CS_PRIVILEGE != 0 {
        return Ok(Step::User);
    }
    let bp = if whole {
        word(saved.wrapping_add(pt_regs::BP))?
    } else {
        saved_bp(kernel, entry, at, frame)?
    };
    Ok(Step::Frame(Cursor {
        ip: word(saved.wrapping_add(pt_regs::IP))?,
        sp: word(saved.wrapping_add(pt_regs::SP))?,
        bp,
        source: if whole { Source::Saved(saved) } else { Source::Lost },
        exact: true,
    }))
}

/// The address that the entry's offsets count from: the caller's stack pointer, or saved registers.
fn frame_address(kernel: &Kernel, entry: &Entry, at: &Cursor) -> Result<Option<u64>, Error> {
    let word = |address: u64| kernel.space().u64(address);
    let plus = |base: u64| base.wrapping_add_signed(entry.sp_offset);
    Ok(match entry.sp_base {
        Base::Sp => Some(plus(at.sp)),
        Base::Bp => Some(plus(at.bp)),
        Base::SpIndirect => Some(plus(word(at.sp)?)),
        Base::BpIndirect => Some(word(plus(at.bp))?),
        Base::R10 => at.register(kernel, "r10", pt_regs::R10)?,
        Base::R13 => at.register(kernel, "r13", pt_regs::R13)?,
        Base::Di => at.register(kernel, "rdi", pt_regs::DI)?,
        Base::Dx => at.register(kernel, "rdx", pt_regs::DX)?,
        Base::PreviousSp | Base::Undefined => None,
    })
}

fn saved_bp(kernel: &Kernel, entry: &Entry, at: &Cursor, frame: u64) -> Result<u64, Error> {
    let word = |base: u64| kernel.space().u64(base.wrapping_add_signed(entry.bp_offset));
    Ok(match entry.bp_base {
        Base::PreviousSp => word(frame)?,
        Base::Bp => word(at.bp)?,
        _ => at.bp,
    })
}

impl Cursor {
    fn register(&self, kernel: &Kernel, name: &str, offset: u64) -> Result<Option<u64>, Error> {
        Ok(match &self.source {
            Source::Lost => None,
            Source::Cpu(registers) => registers.get(name),
            Source::Saved(at) => Some(kernel.space().u64(at.wrapping_add(offset))?),
        })
    }
}

/// The caller's frame by the frame pointer: the caller's own, then the return address. The same on
/// x86-64 and aarch64.
pub(super) fn frame_pointer_step(
    kernel: &Kernel,
    at: &Cursor,
    stack: &std::ops::Range<u64>,
) -> Step {
    if at.bp == 0 {
        return Step::End;
    }
    // Frame pointers only go up, and stay on the stack; the bound also ends circles.
    if !stack.contains(&at.bp) || at.bp < at.sp || !at.bp.is_multiple_of(8) {
        return Step::Broke(format!("frame pointer {:#x} is not on the stack", at.bp));
    }
    let words = kernel.space().u64(at.bp).and_then(|bp| {
        let ip = kernel.space().u64(at.bp.wrapping_add(8))?;
        Ok((bp, ip))
    });
    match words {
        Ok((_, 0)) => Step::End,
        Ok((bp, ip)) => Step::Frame(Cursor {
            ip: without_signature(kernel, ip),
            sp: at.bp.wrapping_add(16),
            bp,
            source: Source::Lost,
            exact: false,
        }),
        Err(error) => Step::Broke(error.to_string()),
    }
}

/// Return addresses of aarch64 carry a pointer authentication code in the bits above the address.
pub(super) fn without_signature(kernel: &Kernel, ip: u64) -> u64 {
    match kernel.space().format() {
        PageTable::Aarch64 { va_bits, .. } => ip | u64::MAX.checked_shl(va_bits).unwrap_or(0),
        PageTable::X86 { .. } | PageTable::Aarch64Process { .. } => ip,
    }
}
