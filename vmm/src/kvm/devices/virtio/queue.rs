//! What devices do with their queues: bounded reading and writing of descriptor chains.

use std::io::{Read, Write};
use std::sync::atomic::Ordering;

use virtio_queue::{DescriptorChain, Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress};

use crate::kvm::memory::View;

/// Bytes that one chain may carry. Linux sends at most 1 MiB, by `splice`.
const MOST_BYTES: usize = 4 << 20;

/// What a driver did that no driver may do. The device stops until it is reset.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Misuse {
    #[error("{0}")]
    Queue(#[from] virtio_queue::Error),
    #[error("{0}")]
    Chain(#[from] std::io::Error),
    #[error("a chain of {0} bytes; {MOST_BYTES} are the most")]
    TooLong(usize),
    #[error("{0}")]
    Protocol(&'static str),
}

/// A chain of buffers that the driver has made available.
pub(super) struct Chain<'m> {
    chain: DescriptorChain<&'m View>,
    memory: &'m View,
}

impl<'m> Chain<'m> {
    /// The next one of `queue`.
    pub(super) fn next(queue: &mut Queue, memory: &'m View) -> Result<Option<Self>, Misuse> {
        if !queue.ready() {
            return Ok(None);
        }
        Ok(queue.iter(memory)?.next().map(|chain| Self { chain, memory }))
    }

    /// Copies out all that the driver put in.
    pub(super) fn read(&self) -> Result<Vec<u8>, Misuse> {
        let mut reader = self.chain.clone().reader(self.memory)?;
        let mut bytes = vec![0; bounded(reader.available_bytes())?];
        reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Copies in as much of `bytes` as fits; gives how much that was.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<usize, Misuse> {
        let mut writer = self.chain.clone().writer(self.memory)?;
        let count = bytes.len().min(writer.available_bytes());
        writer.write_all(&bytes[..count])?;
        Ok(count)
    }

    /// How much the driver has room for.
    pub(super) fn room(&self) -> Result<usize, Misuse> {
        Ok(self.chain.clone().writer(self.memory)?.available_bytes())
    }

    /// How much the driver has room for, of an answer that fills it.
    pub(super) fn bounded_room(&self) -> Result<usize, Misuse> {
        bounded(self.room()?)
    }

    /// Gives it back to the driver, with `written` bytes in it.
    pub(super) fn give_back(self, queue: &mut Queue, written: usize) -> Result<(), Misuse> {
        let written = u32::try_from(written).unwrap_or(u32::MAX);
        Ok(queue.add_used(self.memory, self.chain.head_index(), written)?)
    }

    /// Leaves it where it was, for the next time.
    pub(super) fn leave(self, queue: &mut Queue) {
        queue.go_to_previous_position();
    }
}

fn bounded(size: usize) -> Result<usize, Misuse> {
    if size > MOST_BYTES { Err(Misuse::TooLong(size)) } else { Ok(size) }
}

/// Serves every chain that is available, by `serve`, which gives the bytes that it wrote. Tells
/// whether the driver is to be interrupted.
pub(super) fn serve_all(
    queue: &mut Queue,
    memory: &View,
    mut serve: impl FnMut(&Chain) -> Result<usize, Misuse>,
) -> Result<bool, Misuse> {
    let mut served = false;
    // What is available now is at most what the queue holds. A driver that adds more meanwhile
    // notifies again, so nothing is lost by stopping there, and no driver can keep us here.
    for _ in 0..queue.size() {
        let Some(chain) = Chain::next(queue, memory)? else { break };
        let written = serve(&chain)?;
        chain.give_back(queue, written)?;
        served = true;
    }
    Ok(served && wants_interrupt(queue, memory)?)
}

/// Whether the driver wants to hear of used buffers: `VIRTQ_AVAIL_F_NO_INTERRUPT` is not set
/// (virtio 1.2, section 2.7.7). `Queue` looks at the event index only, which is not offered here.
pub(super) fn wants_interrupt(queue: &Queue, memory: &View) -> Result<bool, Misuse> {
    const NO_INTERRUPT: u16 = 1;
    let flags = memory
        .load::<u16>(GuestAddress(queue.avail_ring()), Ordering::Acquire)
        .map_err(|_| Misuse::Protocol("the available ring is not in RAM"))?;
    Ok(u16::from_le(flags) & NO_INTERRUPT == 0)
}
