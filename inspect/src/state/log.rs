//! The kernel log, out of the printk ring buffer. Works after a panic and with a dead console.
//!
//! Source: kernel/printk/printk_ringbuffer.h. Descriptors are a ring of states and positions; the text is
//! in a second ring of blocks, each an 8-byte descriptor id and the text. A block that would cross the end
//! of the ring lies at its start instead.

use serde::Serialize;

use crate::bytes::u64_at;
use crate::kernel::{Error, Field, Kernel, Walk};

/// log2 of ring sizes at most: CONFIG_LOG_BUF_SHIFT and log_buf_len= go up to 31.
const MAX_BITS: u64 = 31;
/// The two upper bits of a state variable are the state, the rest is the id.
const ID_MASK: u64 = u64::MAX >> 2;
const COMMITTED: u64 = 1;
const FINALIZED: u64 = 2;
/// Bit 0 of a position: the record has no text.
const NO_TEXT: u64 = 1;

/// One record of the kernel log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRecord {
    /// Sequence number, counted from boot.
    pub sequence: u64,
    /// Nanoseconds since boot, as the console prints them.
    pub time_ns: u64,
    /// Severity, 0 (emergency) to 7 (debug).
    pub level: u8,
    /// Facility; 0 is the kernel.
    pub facility: u8,
    /// Who printed it: `T` and a thread id, or `C` and a CPU in interrupt context.
    pub caller: String,
    /// The text, without the newline that ended it; some messages end with an empty line.
    pub text: String,
}

/// The two rings, read whole.
struct Rings {
    count: u64,
    head: u64,
    tail: u64,
    descriptors: Vec<u8>,
    infos: Vec<u8>,
    text: Vec<u8>,
    descriptor: Descriptor,
    info: Info,
}

/// Where the parts of `struct prb_desc` are.
struct Descriptor {
    size: usize,
    state: Field,
    begin: Field,
}

/// Where the parts of `struct printk_info` are.
struct Info {
    size: usize,
    sequence: Field,
    time: Field,
    length: Field,
    facility: Field,
    level: Field,
    caller: Field,
}

impl Kernel {
    /// The records of the kernel log, oldest first.
    ///
    /// # Errors
    /// Where this kernel has no printk ring buffer (before 5.10), or its geometry makes no sense.
    pub fn log(&self) -> Result<Walk<LogRecord>, Error> {
        let rings = Rings::read(self)?;
        let mut walk = Walk::default();
        let span = rings.head.wrapping_sub(rings.tail) & ID_MASK;
        for step in 0..=span.min(rings.count - 1) {
            let id = rings.tail.wrapping_add(step) & ID_MASK;
            match rings.record(id) {
                Some(Ok(record)) => walk.items.push(record),
                Some(Err(why)) => walk.broke(id, why),
                None => {}
            }
        }
        Ok(walk)
    }
}

impl Rings {
    fn read(kernel: &Kernel) -> Result<Self, Error> {
        let ring = kernel.global("prb", 8)?;
        let get = |path| kernel.get(ring, kernel.field("printk_ringbuffer", path)?);
        let count = size_of_ring(get("desc_ring.count_bits")?)?;
        let text_size = size_of_ring(get("text_data_ring.size_bits")?)?;
        let (descriptor, info) = (Descriptor::resolve(kernel)?, Info::resolve(kernel)?);
        let bytes = |at, size: u64| kernel.space().bytes(at, crate::bytes::index(size));
        Ok(Self {
            count,
            head: get("desc_ring.head_id.counter")? & ID_MASK,
            tail: get("desc_ring.tail_id.counter")? & ID_MASK,
            descriptors: bytes(get("desc_ring.descs")?, count * descriptor.size as u64)?,
            infos: bytes(get("desc_ring.infos")?, count * info.size as u64)?,
            text: bytes(get("text_data_ring.data")?, text_size)?,
            descriptor,
            info,
        })
    }

    /// The record with an id; `None` where there is none (reused or not yet committed).
    fn record(&self, id: u64) -> Option<Result<LogRecord, String>> {
        let index = crate::bytes::index(id % self.count);
        let descriptor = self.descriptors.get(index * self.descriptor.size..)?;
        let state = self.descriptor.state.value(descriptor)?;
        if state & ID_MASK != id || !matches!(state >> 62, COMMITTED | FINALIZED) {
            return None;
        }
        let begin = self.descriptor.begin.value(descriptor)?;
        let info = self.infos.get(index * self.info.size..)?;
        let text = self.text(id, begin, self.info.length.value(info)?);
        Some(text.and_then(|text| {
            self.info.record(info, text).ok_or_else(|| "its info is cut off".to_owned())
        }))
    }

    /// The text of a record, whose block starts at position `begin` or at the start of the ring. The id in
    /// front of the text tells which.
    fn text(&self, id: u64, begin: u64, length: u64) -> Result<String, String> {
        if begin & NO_TEXT != 0 {
            return Ok(String::new());
        }
        let size = self.text.len();
        let length = crate::bytes::index(length);
        let candidates = [crate::bytes::index(begin % size as u64), 0];
        let start = candidates
            .into_iter()
            .find(|at| u64_at(&self.text, *at) == Some(id) && at + 8 + length <= size)
            .ok_or_else(|| format!("no text for record {id} at position {begin:#x}"))?;
        let text = &self.text[start + 8..start + 8 + length];
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

impl Descriptor {
    fn resolve(kernel: &Kernel) -> Result<Self, Error> {
        let field = |path| kernel.field("prb_desc", path);
        Ok(Self {
            size: crate::bytes::index(kernel.size_of("prb_desc")?),
            state: field("state_var.counter")?,
            begin: field("text_blk_lpos.begin")?,
        })
    }
}

impl Info {
    fn resolve(kernel: &Kernel) -> Result<Self, Error> {
        let field = |path| kernel.field("printk_info", path);
        Ok(Self {
            size: crate::bytes::index(kernel.size_of("printk_info")?),
            sequence: field("seq")?,
            time: field("ts_nsec")?,
            length: field("text_len")?,
            facility: field("facility")?,
            level: field("level")?,
            caller: field("caller_id")?,
        })
    }

    fn record(&self, info: &[u8], text: String) -> Option<LogRecord> {
        let byte = |field: Field| u8::try_from(field.value(info)?).ok();
        Some(LogRecord {
            sequence: self.sequence.value(info)?,
            time_ns: self.time.value(info)?,
            level: byte(self.level)?,
            facility: byte(self.facility)?,
            caller: caller(self.caller.value(info)?),
            text,
        })
    }
}

/// `printk_caller_id`: bit 31 marks a CPU number, else it is a thread id.
fn caller(id: u64) -> String {
    match id & 1 << 31 {
        0 => format!("T{id}"),
        _ => format!("C{}", id & !(1 << 31)),
    }
}

fn size_of_ring(bits: u64) -> Result<u64, Error> {
    if bits == 0 || bits > MAX_BITS {
        let what = format!("printk ring of 2^{bits} entries");
        return Err(Error::Question(format!("the kernel log makes no sense: a {what}")));
    }
    Ok(1 << bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_a_thread_or_a_cpu() {
        assert_eq!(caller(12), "T12");
        assert_eq!(caller(1 << 31 | 3), "C3");
    }

    #[test]
    fn a_ring_size_that_would_take_all_memory_is_refused() {
        assert!(size_of_ring(10).is_ok());
        assert!(size_of_ring(0).is_err());
        assert!(size_of_ring(63).is_err());
    }
}
