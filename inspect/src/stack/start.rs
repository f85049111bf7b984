//! Where the unwind of a task starts, and which way it goes.

use std::ops::Range;

use super::frames::{Frame, Method, Stack};
use super::orc::Tables;
use super::scan::scan;
use super::unwind::{
    Cursor, MAX_FRAMES, Source, Step, frame_pointer_step, orc_step, without_signature,
};
use crate::Address;
use crate::dump::{Arch, Registers};
use crate::kernel::{Error, Kernel};

/// `THREAD_SIZE` where the types do not say.
const DEFAULT_STACK: u64 = 16 << 10;
/// Largest stack read: KASAN kernels have 32 KiB, 64 KiB on aarch64 with 64 KiB pages.
const MAX_STACK: u64 = 128 << 10;
/// `struct inactive_task_frame` of x86-64: where `bp` and the return address are, and its size. Only
/// for kernels whose types do not have it.
const INACTIVE_FRAME: [u64; 3] = [40, 48, 56];
/// A frame-pointer walk of fewer frames than this is none.
const MIN_FRAMES: usize = 3;

impl Kernel {
    /// The kernel stack of a task, by its `task_struct`. For a running task the dump must have its CPU's
    /// registers.
    ///
    /// # Errors
    /// When the task cannot be read, or runs on a CPU whose registers are not known.
    pub fn stack(&self, task: u64) -> Result<Stack, Error> {
        let state = TaskState::read(self, task)?;
        if state.on_cpu {
            let registers = self.registers_of(&state)?;
            if is_user(registers) {
                return Ok(user_stack());
            }
            let start = cursor_from(registers);
            // A running CPU may be on an interrupt stack.
            let stack = if state.stack.contains(&start.sp) {
                state.stack
            } else {
                start.sp..start.sp.saturating_add(DEFAULT_STACK)
            };
            return Ok(self.unwind(start, stack));
        }
        let start = self.sleeping_cursor(task)?;
        Ok(self.unwind(start, state.stack))
    }

    fn registers_of(&self, state: &TaskState) -> Result<&Registers, Error> {
        let registers = self.dump().cpus.get(crate::bytes::index(state.cpu));
        let known = registers.filter(|registers| registers.program_counter().is_some());
        known.ok_or_else(|| {
            Error::Question(format!(
                "the task runs on CPU {}, and the dump has no registers of it",
                state.cpu
            ))
        })
    }

    fn unwind(&self, start: Cursor, stack: Range<u64>) -> Stack {
        let tables = self.unwind_tables.get_or_init(|| Tables::read(self));
        if !tables.is_empty() {
            return self.run(Method::Orc, start, |at| orc_step(self, tables, at));
        }
        let by_frames = self
            .run(Method::FramePointer, start.clone(), |at| frame_pointer_step(self, at, &stack));
        let named = by_frames.frames.iter().all(|frame| !frame.symbol.starts_with("0x"));
        if named && by_frames.frames.len() >= MIN_FRAMES {
            return by_frames;
        }
        scan(self, &start, stack)
    }

    fn run(&self, method: Method, start: Cursor, step: impl Fn(&Cursor) -> Step) -> Stack {
        let mut stack = Stack { method, frames: Vec::new(), from_user: false, broke: None };
        let mut at = start;
        while stack.frames.len() < MAX_FRAMES {
            stack.frames.push(self.frame(&at));
            match step(&at) {
                Step::Frame(next) if next.ip == 0 => break,
                Step::Frame(next) => at = next,
                Step::End => break,
                Step::User => {
                    stack.from_user = true;
                    break;
                }
                Step::Broke(why) => {
                    stack.broke = Some(why);
                    break;
                }
            }
        }
        stack
    }

    fn frame(&self, at: &Cursor) -> Frame {
        Frame { address: Address(at.ip), symbol: self.return_symbol(at.ip, at.exact) }
    }

    /// A return address in words: by the call before it, for a call may be a function's last instruction.
    pub(super) fn return_symbol(&self, ip: u64, exact: bool) -> String {
        if exact {
            return self.symbolize(ip);
        }
        match self.locate(ip.wrapping_sub(1)) {
            Some((location, module)) => {
                let module =
                    module.map_or_else(String::new, |module| format!(" [{}]", module.name));
                let offset = location.offset + 1;
                format!("{}+{offset:#x}{module}", location.symbol.name)
            }
            None => format!("{ip:#x}"),
        }
    }

    fn sleeping_cursor(&self, task: u64) -> Result<Cursor, Error> {
        match self.dump().arch {
            Arch::X86_64 => self.sleeping_cursor_x86(task),
            Arch::Aarch64 => self.sleeping_cursor_aarch64(task),
        }
    }

    /// `__switch_to_asm` left the callee-saved registers and a return address on the stack.
    fn sleeping_cursor_x86(&self, task: u64) -> Result<Cursor, Error> {
        let sp = self.get(task, self.field("task_struct", "thread.sp")?)?;
        let offset = |member| self.offset("inactive_task_frame", member);
        let [bp, ip, size] =
            match (offset("bp"), offset("ret_addr"), self.size_of("inactive_task_frame")) {
                (Ok(bp), Ok(ip), Ok(size)) => [bp, ip, size],
                _ => INACTIVE_FRAME,
            };
        Ok(Cursor {
            ip: self.space().u64(sp.wrapping_add(ip))?,
            sp: sp.wrapping_add(size),
            bp: self.space().u64(sp.wrapping_add(bp))?,
            source: Source::Lost,
            exact: false,
        })
    }

    fn sleeping_cursor_aarch64(&self, task: u64) -> Result<Cursor, Error> {
        let saved = |register: &str| {
            let path = format!("thread.cpu_context.{register}");
            self.get(task, self.field("task_struct", &path)?)
        };
        Ok(Cursor {
            ip: without_signature(self, saved("pc")?),
            sp: saved("sp")?,
            bp: saved("fp")?,
            source: Source::Lost,
            exact: false,
        })
    }
}

/// What of a task the unwind has to know.
struct TaskState {
    on_cpu: bool,
    cpu: u64,
    stack: Range<u64>,
}

impl TaskState {
    fn read(kernel: &Kernel, task: u64) -> Result<Self, Error> {
        let field = |path| kernel.field("task_struct", path);
        let optional = |path| field(path).map_or(Ok(0), |field| kernel.get(task, field));
        let cpu = kernel.field_any(&[("task_struct", "thread_info.cpu"), ("task_struct", "cpu")]);
        let base = kernel.get(task, field("stack")?)?;
        let size = kernel.size_of("thread_union").unwrap_or(DEFAULT_STACK);
        Ok(Self {
            on_cpu: optional("on_cpu")? != 0,
            cpu: cpu.map_or(Ok(0), |field| kernel.get(task, field))?,
            stack: base..base.saturating_add(size.min(MAX_STACK)),
        })
    }
}

fn cursor_from(registers: &Registers) -> Cursor {
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| registers.get(name));
    Cursor {
        ip: first(["rip", "pc"]).unwrap_or(0),
        sp: first(["rsp", "sp"]).unwrap_or(0),
        bp: first(["rbp", "x29"]).unwrap_or(0),
        source: Source::Cpu(registers.clone()),
        exact: true,
    }
}

/// Kernel addresses have the upper bit set on both architectures.
fn is_user(registers: &Registers) -> bool {
    registers.program_counter().is_some_and(|ip| ip >> 63 == 0)
}

fn user_stack() -> Stack {
    Stack { method: Method::Orc, frames: Vec::new(), from_user: true, broke: None }
}
