//! Pending timers: those of the timer wheel, in jiffies, and high-resolution ones, in nanoseconds.
//!
//! Source: kernel/time/timer.c, `struct timer_base`; include/linux/hrtimer_defs.h (hrtimer_bases.h since
//! 7.3), `struct hrtimer_cpu_base`.

use serde::Serialize;

use crate::Address;
use crate::kernel::{Error, Field, Kernel, Walk};

/// Slots of one wheel at most: `WHEEL_SIZE` is 576.
const MAX_SLOTS: u64 = 4096;
/// `HRTIMER_MAX_CLOCK_BASES` is 8, `NR_BASES` of the wheel 3.
const MAX_BASES: u64 = 16;

/// What drives a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TimerKind {
    /// `struct timer_list`: it expires in jiffies.
    Wheel,
    /// `struct hrtimer`: it expires in nanoseconds of its clock.
    Hrtimer,
}

/// A timer that is pending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timer {
    /// The CPU that it is queued on.
    pub cpu: u32,
    /// What drives it.
    pub kind: TimerKind,
    /// `jiffies`, or the clock of a high-resolution timer: `monotonic`, `realtime-soft` and so on.
    pub clock: &'static str,
    /// Address of its `struct timer_list` or `struct hrtimer`.
    pub address: Address,
    /// The function that it calls.
    pub function: String,
    /// When it expires: jiffies, or nanoseconds of its clock. A realtime clock counts from 1970.
    pub expires: u64,
}

/// The clocks by their place in `hrtimer_cpu_base.clock_base`, `enum hrtimer_base_type`.
const CLOCKS: [&str; 8] = [
    "monotonic",
    "realtime",
    "boottime",
    "tai",
    "monotonic-soft",
    "realtime-soft",
    "boottime-soft",
    "tai-soft",
];

/// An array in per-CPU data, and where its parts are.
struct Bases {
    symbol: &'static str,
    /// Offset of the first base, size of one, and their number.
    start: u64,
    stride: u64,
    count: u64,
}

impl Kernel {
    /// The pending timers of all online CPUs; those of one queue in the order in which they lie there.
    ///
    /// # Errors
    /// Where this kernel's timers are not what any known version has.
    pub fn timers(&self) -> Result<Walk<Timer>, Error> {
        let (wheel, clocks) = (Wheel::resolve(self)?, Clocks::resolve(self)?);
        let mut walk = Walk::default();
        for cpu in self.online_cpus()? {
            wheel.read(self, cpu, &mut walk)?;
            clocks.read(self, cpu, &mut walk)?;
        }
        Ok(walk)
    }

    fn timer_at(
        &self,
        at: u64,
        [function, expires]: [Field; 2],
        known: (u32, TimerKind, &'static str),
    ) -> Result<Timer, Error> {
        let (cpu, kind, clock) = known;
        Ok(Timer {
            cpu,
            kind,
            clock,
            address: Address(at),
            function: self.symbolize(self.get(at, function)?),
            expires: self.get(at, expires)?,
        })
    }
}

/// The timer wheel.
struct Wheel {
    bases: Bases,
    slots: Field,
    entry: u64,
    fields: [Field; 2],
}

impl Wheel {
    fn resolve(kernel: &Kernel) -> Result<Self, Error> {
        let stride = kernel.size_of("timer_base")?.max(1);
        let ty = kernel.types().variable("timer_bases");
        let whole = ty.map_or(stride, |ty| kernel.types().size(ty));
        let count = (whole / stride).clamp(1, MAX_BASES);
        Ok(Self {
            bases: Bases { symbol: "timer_bases", start: 0, stride, count },
            slots: kernel.field("timer_base", "vectors")?,
            entry: kernel.offset("timer_list", "entry")?,
            fields: [
                kernel.field("timer_list", "function")?,
                kernel.field("timer_list", "expires")?,
            ],
        })
    }

    fn read(&self, kernel: &Kernel, cpu: u32, walk: &mut Walk<Timer>) -> Result<(), Error> {
        for base in self.bases.of(kernel, cpu)? {
            for slot in (0..self.slots.size / 8).take(crate::bytes::index(MAX_SLOTS)) {
                let head = base.wrapping_add(self.slots.offset).wrapping_add(8 * slot);
                let first = match kernel.space().u64(head) {
                    Ok(first) => first,
                    Err(error) => {
                        walk.broke(head, error);
                        break;
                    }
                };
                let timers = kernel.chain(first, self.entry);
                walk.broke_at.extend(timers.broke_at);
                for at in timers.items {
                    let known = (cpu, TimerKind::Wheel, "jiffies");
                    walk.take(at, kernel.timer_at(at, self.fields, known));
                }
            }
        }
        Ok(())
    }
}

/// The clocks of high-resolution timers.
struct Clocks {
    bases: Bases,
    top: Field,
    node: u64,
    fields: [Field; 2],
}

impl Clocks {
    fn resolve(kernel: &Kernel) -> Result<Self, Error> {
        let bases = kernel.field("hrtimer_cpu_base", "clock_base")?;
        let stride = kernel.size_of("hrtimer_clock_base")?.max(1);
        let count = (bases.size / stride).min(MAX_BASES);
        Ok(Self {
            bases: Bases { symbol: "hrtimer_bases", start: bases.offset, stride, count },
            top: kernel.field("hrtimer_clock_base", "active.rb_root.rb_root.rb_node")?,
            node: kernel.offset("hrtimer", "node.node")?,
            fields: [
                kernel.field("hrtimer", "function")?,
                kernel.field("hrtimer", "node.expires")?,
            ],
        })
    }

    fn read(&self, kernel: &Kernel, cpu: u32, walk: &mut Walk<Timer>) -> Result<(), Error> {
        for (base, clock) in self.bases.of(kernel, cpu)?.zip(CLOCKS) {
            let top = match kernel.get(base, self.top) {
                Ok(top) => top,
                Err(error) => {
                    walk.broke(base, error);
                    continue;
                }
            };
            let nodes = kernel.rb_tree(top)?;
            walk.broke_at.extend(nodes.broke_at);
            for node in nodes.items {
                let at = node.wrapping_sub(self.node);
                let known = (cpu, TimerKind::Hrtimer, clock);
                walk.take(at, kernel.timer_at(at, self.fields, known));
            }
        }
        Ok(())
    }
}

impl Bases {
    fn of(&self, kernel: &Kernel, cpu: u32) -> Result<impl Iterator<Item = u64> + use<>, Error> {
        let first = kernel.per_cpu(self.symbol, cpu)?.wrapping_add(self.start);
        let stride = self.stride;
        Ok((0..self.count).map(move |index| first.wrapping_add(index * stride)))
    }
}
