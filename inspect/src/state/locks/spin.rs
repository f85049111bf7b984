//! Spinlocks and rwlocks that a running task spins on.
//!
//! A production kernel records no owner of them. With CONFIG_DEBUG_SPINLOCK each has its owner and a magic
//! number, which tells it from anything else that registers and stack point to.
//! Source: include/linux/spinlock_types_raw.h, include/linux/rwlock_types.h, include/asm-generic/qspinlock_types.h,
//! include/asm-generic/qrwlock_types.h, kernel/locking/spinlock_debug.c.

use std::collections::HashMap;

use super::wait::{Found, LockKind};
use crate::kernel::{Error, Field, Kernel};
use crate::stack::Stack;
use crate::state::Task;

/// `SPINLOCK_MAGIC`.
const SPIN_MAGIC: u64 = 0xdead_4ead;
/// `RWLOCK_MAGIC`.
const RW_MAGIC: u64 = 0xdeaf_1eed;
/// The byte of a lock's value that says that one has it, and is alone with it.
const LOCKED: u64 = 0xff;
/// `_QR_SHIFT`: the readers of an rwlock are counted above.
const READERS: u32 = 9;
/// Ends of the names of functions in which a CPU spins for a spinlock; paravirtual ones have a prefix.
const SPINS: &str = "queued_spin_lock_slowpath";
/// Functions in which one spins for an rwlock, or for the spinlock inside of it.
const SPINS_FOR_RW: [&str; 2] = ["queued_read_lock_slowpath", "queued_write_lock_slowpath"];
/// Beginnings of the functions between those and who asked for the lock.
const BETWEEN: [&str; 7] = [
    "native_queued_",
    "__pv_queued_",
    "queued_",
    "do_raw_",
    "_raw_spin_",
    "_raw_read_",
    "_raw_write_",
];

/// One of the two kinds as this kernel lays it out.
struct Layout {
    kind: LockKind,
    magic: Field,
    wanted_magic: u64,
    value: Field,
    owner: Field,
    /// Offset of lockdep's part.
    map: Option<u64>,
}

impl Layout {
    fn spinlock(kernel: &Kernel) -> Result<Self, Error> {
        let field = |path| kernel.field("raw_spinlock", path);
        Ok(Self {
            kind: LockKind::Spinlock,
            magic: field("magic")?,
            wanted_magic: SPIN_MAGIC,
            value: field("raw_lock.val.counter")?,
            owner: field("owner")?,
            map: field("dep_map").map(|map| map.offset).ok(),
        })
    }

    fn rwlock(kernel: &Kernel) -> Result<Self, Error> {
        // The struct had no name before 7.x.
        let field = |path| kernel.field_any(&[("rwlock", path), ("rwlock_t", path)]);
        Ok(Self {
            kind: LockKind::Rwlock,
            magic: field("magic")?,
            wanted_magic: RW_MAGIC,
            value: field("raw_lock.cnts.counter")?,
            owner: field("owner")?,
            map: field("dep_map").map(|map| map.offset).ok(),
        })
    }

    /// The lock at `address`, if there is one of this kind that somebody has.
    fn taken(&self, kernel: &Kernel, address: u64) -> Option<Taken> {
        if kernel.get(address, self.magic).ok()? != self.wanted_magic {
            return None;
        }
        let value = kernel.get(address, self.value).ok()?;
        if value & LOCKED == 0 {
            let read = self.kind == LockKind::Rwlock && value >> READERS != 0;
            return read.then_some(Taken { owner: 0, reader_owned: true });
        }
        let owner = kernel.get(address, self.owner).ok()?;
        Some(Taken { owner, reader_owned: false })
    }
}

struct Taken {
    owner: u64,
    reader_owned: bool,
}

/// Spinlocks and rwlocks as this kernel has them; none without CONFIG_DEBUG_SPINLOCK.
pub(super) struct SpinLocks(Vec<Layout>);

impl SpinLocks {
    pub(super) fn resolve(kernel: &Kernel) -> Self {
        let known = [Layout::spinlock(kernel), Layout::rwlock(kernel)];
        Self(known.into_iter().filter_map(Result::ok).collect())
    }

    /// What a running task spins on. Where its registers are not known, lockdep has to say it.
    pub(super) fn find(
        &self,
        kernel: &Kernel,
        task: &Task,
        known: &HashMap<u64, &Task>,
    ) -> Option<Found> {
        if self.0.is_empty() {
            return None;
        }
        let Ok(stack) = kernel.stack(task.address.0) else {
            let noted = Noted::read(kernel, task.address.0)?;
            return self.choose(kernel, task, known, |_| true, &noted.last(), noted.at());
        };
        let (kind, function) = spins_in(&stack)?;
        let wanted = |layout: &Layout| layout.kind == kind;
        let candidates = candidates(kernel, task);
        self.choose(kernel, task, known, wanted, &candidates, function.clone())
            .or_else(|| self.own(kernel, task, kind, function))
    }

    /// The first of `candidates` that is a lock that another task has.
    fn choose(
        &self,
        kernel: &Kernel,
        task: &Task,
        known: &HashMap<u64, &Task>,
        wanted: impl Fn(&Layout) -> bool,
        candidates: &[Candidate],
        function: String,
    ) -> Option<Found> {
        candidates.iter().find_map(|candidate| {
            self.0.iter().filter(|layout| wanted(layout)).find_map(|layout| {
                let lock = candidate.lock(layout)?;
                let taken = layout.taken(kernel, lock)?;
                let other = taken.owner != task.address.0 && known.contains_key(&taken.owner);
                (taken.reader_owned || other).then(|| Found {
                    kind: layout.kind,
                    lock,
                    function: function.clone(),
                    owner: taken.owner,
                    reader_owned: taken.reader_owned,
                })
            })
        })
    }

    /// A lock that the task itself has. Its owner is written after the spinning, so that whoever has one and
    /// spins does so for ever.
    fn own(&self, kernel: &Kernel, task: &Task, kind: LockKind, function: String) -> Option<Found> {
        let layout = self.0.iter().find(|layout| layout.kind == kind)?;
        registers(kernel, task).into_iter().find_map(|lock| {
            let taken = layout.taken(kernel, lock)?;
            let own = taken.owner == task.address.0;
            own.then(|| Found {
                kind,
                lock,
                function: function.clone(),
                owner: taken.owner,
                reader_owned: false,
            })
        })
    }
}

/// The kind of lock that the innermost functions of a stack spin for, and the one that asked for it.
fn spins_in(stack: &Stack) -> Option<(LockKind, String)> {
    let functions: Vec<&str> = stack.functions().collect();
    let for_rw = |function: &str| SPINS_FOR_RW.contains(&function);
    let start = functions.iter().position(|it| it.ends_with(SPINS) || for_rw(it))?;
    let between = |function: &&&str| BETWEEN.iter().any(|it| function.starts_with(it));
    let run: Vec<&&str> = functions[start..].iter().take_while(between).collect();
    let rw = run.iter().any(|function| for_rw(function));
    let kind = if rw { LockKind::Rwlock } else { LockKind::Spinlock };
    Some((kind, (*run.last()?).to_string()))
}

/// What may be the address of the lock that a task spins on.
#[derive(Clone, Copy)]
enum Candidate {
    Lock(u64),
    /// The address of lockdep's part of it.
    Map(u64),
}

impl Candidate {
    fn lock(self, layout: &Layout) -> Option<u64> {
        match self {
            Self::Lock(lock) => Some(lock),
            Self::Map(map) => Some(map.wrapping_sub(layout.map?)),
        }
    }
}

/// The likeliest first. While lockdep is on, the last lock that it noted is the one. It switches itself off
/// with its first report; what it noted last may then be long past, and the registers know better.
fn candidates(kernel: &Kernel, task: &Task) -> Vec<Candidate> {
    let noted = Noted::read(kernel, task.address.0);
    let (on, pushed, tried) = noted
        .map_or((false, Vec::new(), None), |noted| (noted.on, noted.last_pushed(), noted.tried));
    let registers = registers(kernel, task).into_iter().map(Candidate::Lock);
    let words = kernel.running_stack_words(task.address.0, task.cpu).unwrap_or_default();
    let words = words.into_iter().map(Candidate::Lock);
    let mut all = Vec::new();
    if on {
        all.extend(&pushed);
    }
    all.extend(registers);
    all.extend(tried);
    all.extend(pushed);
    all.extend(words);
    all
}

/// Values of the registers of the CPU that a task runs on, the one of the first argument first.
fn registers(kernel: &Kernel, task: &Task) -> Vec<u64> {
    let Some(registers) = kernel.dump().cpus.get(crate::bytes::index(task.cpu)) else {
        return Vec::new();
    };
    let first = ["rdi", "x0"].into_iter().filter_map(|name| registers.get(name));
    first.chain(registers.iter().map(|(_, value)| value)).filter(|value| value >> 63 != 0).collect()
}

/// The last locks that lockdep noted for a task: before it has them.
struct Noted {
    /// Whether lockdep is on.
    on: bool,
    /// Address of its part of the last lock on the task's list, and where that was asked for.
    pushed: Option<(u64, String)>,
    /// What is behind the list's end: the lock whose request made lockdep report something, or one of old.
    tried: Option<Candidate>,
}

impl Noted {
    fn read(kernel: &Kernel, task: u64) -> Option<Self> {
        let depth = kernel.get(task, kernel.field("task_struct", "lockdep_depth").ok()?).ok()?;
        let noted = |index| kernel.held_lock(task, index).ok();
        let pushed = depth.checked_sub(1).and_then(noted);
        Some(Self {
            on: kernel.global("debug_locks", 4).is_ok_and(|on| on != 0),
            pushed: pushed.map(|lock| (lock.instance.0, lock.taken_at)),
            tried: noted(depth).map(|lock| Candidate::Map(lock.instance.0)),
        })
    }

    fn last_pushed(&self) -> Vec<Candidate> {
        self.pushed.iter().map(|(map, _)| Candidate::Map(*map)).collect()
    }

    /// All that there is to go by without registers.
    fn last(&self) -> Vec<Candidate> {
        let tried = self.tried.filter(|_| !self.on);
        self.last_pushed().into_iter().chain(tried).collect()
    }

    fn at(&self) -> String {
        self.pushed.as_ref().map_or_else(String::new, |(_, at)| at.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;
    use crate::stack::{Frame, Method};

    fn stack(functions: &[&str]) -> Stack {
        let frame = |name: &&str| Frame { address: Address(1), symbol: format!("{name}+0x1") };
        Stack {
            method: Method::Orc,
            frames: functions.iter().map(frame).collect(),
            from_user: false,
            broke: None,
        }
    }

    #[test]
    fn the_functions_say_what_is_spun_for() {
        let of = |functions: &[&str]| spins_in(&stack(functions));
        let spin = [
            "native_queued_spin_lock_slowpath",
            "do_raw_spin_lock",
            "_raw_spin_lock_irq",
            "caller",
        ];
        assert_eq!(of(&spin), Some((LockKind::Spinlock, "_raw_spin_lock_irq".into())));
        // A writer that waits behind others spins for the spinlock inside of the rwlock.
        let write =
            ["__pv_queued_spin_lock_slowpath", "queued_write_lock_slowpath", "_raw_write_lock"];
        assert_eq!(of(&write), Some((LockKind::Rwlock, "_raw_write_lock".into())));
        // An interrupt while it spins.
        let interrupted =
            ["asm_sysvec_apic_timer_interrupt", "queued_read_lock_slowpath", "do_raw_read_lock"];
        assert_eq!(of(&interrupted), Some((LockKind::Rwlock, "do_raw_read_lock".into())));
        assert_eq!(of(&["_raw_spin_lock", "caller"]), None, "it did not have to wait");
    }
}
