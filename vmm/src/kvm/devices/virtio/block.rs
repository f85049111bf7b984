//! The block device: a disk of the guest.
//!
//! Source: virtio 1.2, section 5.2.

use std::io;

use virtio_queue::Queue;

use super::mmio::Device;
use super::queue::{Chain, Misuse, serve_all};
use crate::disk::{SECTOR, Store};
use crate::kvm::devices::state::Unfit;
use crate::kvm::memory::View;

/// `VIRTIO_BLK_F_SIZE_MAX`, `_SEG_MAX`, `_RO`, `_FLUSH`.
const SIZE_MAX: u64 = 1 << 1;
const SEG_MAX: u64 = 1 << 2;
const READONLY: u64 = 1 << 5;
const FLUSH: u64 = 1 << 9;

const QUEUE_SIZE: u16 = 128;

/// Segments of a request: what a queue holds, less the header and the status.
const MOST_SEGMENTS: u32 = QUEUE_SIZE as u32 - 2;
/// Bytes of a segment. A request of the largest segments fits into what one chain may carry.
const SEGMENT: u32 = 32 << 10;

/// What to do: `VIRTIO_BLK_T_*`.
const READ: u32 = 0;
const WRITE: u32 = 1;
const FLUSH_CACHE: u32 = 4;
const GET_ID: u32 = 8;

/// How it went: `VIRTIO_BLK_S_*`.
const OK: u8 = 0;
const FAILED: u8 = 1;
const UNSUPPORTED: u8 = 2;

/// Bytes of the answer to [`GET_ID`].
const ID_SIZE: usize = 20;

/// The block device.
#[derive(Debug)]
pub(crate) struct Block {
    store: Store,
    /// What tells it from the others, in the guest's `/sys/block/*/serial`.
    number: usize,
}

/// A request, without what it carries.
struct Header {
    kind: u32,
    sector: u64,
}

impl Block {
    /// The disk `store`, the `number`th from 0 on.
    pub(crate) fn new(store: Store, number: usize) -> Self {
        Self { store, number }
    }

    /// Serves a request; gives how many bytes its answer has.
    fn serve(&mut self, chain: &Chain) -> Result<usize, Misuse> {
        let request = chain.read()?;
        let (header, sent) = Header::of(&request)?;
        // The last byte is for the status.
        let room = chain.bounded_room()?;
        let wanted = room.checked_sub(1).ok_or(Misuse::Protocol("no room for a status"))?;
        let mut answer = vec![0; room];
        answer[wanted] = match self.execute(&header, sent, &mut answer[..wanted]) {
            Ok(status) => status,
            // The guest is told; what it does then is up to it.
            Err(_) => FAILED,
        };
        chain.write(&answer)
    }

    fn execute(&mut self, header: &Header, sent: &[u8], wanted: &mut [u8]) -> io::Result<u8> {
        match header.kind {
            READ => self.store.read(header.offset(wanted)?, wanted)?,
            WRITE => self.store.write(header.offset(sent)?, sent)?,
            // All is as safe as it will ever be: it is gone with the machine.
            FLUSH_CACHE => {}
            GET_ID => {
                let id = format!("kharness-disk{}", self.number);
                let count = id.len().min(ID_SIZE).min(wanted.len());
                wanted[..count].copy_from_slice(&id.as_bytes()[..count]);
            }
            _ => return Ok(UNSUPPORTED),
        }
        Ok(OK)
    }
}

impl Header {
    /// The header of `request` (`struct virtio_blk_req`: type, reserved word, sector), and what follows it.
    fn of(request: &[u8]) -> Result<(Self, &[u8]), Misuse> {
        const SHORT: Misuse = Misuse::Protocol("a request shorter than its header");
        let (kind, rest) = request.split_first_chunk().ok_or(SHORT)?;
        let (_reserved, rest) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
        let (sector, rest) = rest.split_first_chunk().ok_or(SHORT)?;
        let header = Self { kind: u32::from_le_bytes(*kind), sector: u64::from_le_bytes(*sector) };
        Ok((header, rest))
    }

    /// Where on the disk it begins, if it moves whole sectors.
    fn offset(&self, moved: &[u8]) -> io::Result<u64> {
        let whole = (moved.len() as u64).is_multiple_of(SECTOR);
        self.sector
            .checked_mul(SECTOR)
            .filter(|_| whole)
            .ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }
}

impl Device for Block {
    const TYPE: u32 = 2;
    const QUEUES: &'static [u16] = &[QUEUE_SIZE];

    /// Nothing: a machine with disks is not saved.
    type State = ();

    fn save(&self) {}

    fn restore(&mut self, (): &()) -> Result<(), Unfit> {
        Ok(())
    }

    fn features(&self) -> u64 {
        let readonly = if self.store.is_readonly() { READONLY } else { 0 };
        SIZE_MAX | SEG_MAX | FLUSH | readonly
    }

    /// `struct virtio_blk_config`, as far as the features go: capacity in sectors, the largest segment,
    /// and how many segments there may be.
    fn config(&self) -> Vec<u8> {
        let capacity = (self.store.size() / SECTOR).to_le_bytes();
        [&capacity[..], &SEGMENT.to_le_bytes(), &MOST_SEGMENTS.to_le_bytes()].concat()
    }

    fn activate(&mut self, _features: u64) {}

    fn reset(&mut self) {}

    fn notify(
        &mut self,
        index: usize,
        queues: &mut [Queue],
        memory: &View,
    ) -> Result<bool, Misuse> {
        serve_all(&mut queues[index], memory, |chain| self.serve(chain))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_driver::{Buffer, Driver};
    use super::*;
    use crate::disk::{Content, Disk};

    const SECTORS: u64 = 16;

    fn disk(readonly: bool) -> Driver<Block> {
        let disk = Disk { content: Content::Blank(SECTORS * SECTOR), readonly };
        Driver::running(Block::new(Store::open(&disk).unwrap(), 3))
    }

    fn header(kind: u32, sector: u64) -> Vec<u8> {
        [&kind.to_le_bytes()[..], &[0; 4], &sector.to_le_bytes()].concat()
    }

    /// The status of a request that sends `sent` and has room for `wanted` bytes; and what came.
    fn ask(
        driver: &mut Driver<Block>,
        kind: u32,
        sector: u64,
        sent: &[u8],
        wanted: u32,
    ) -> (u8, [u8; 16]) {
        let header = header(kind, sector);
        let mut buffers = vec![Buffer::Out(&header)];
        let at = if sent.is_empty() { 16 } else { 16 + sent.len() as u64 };
        if !sent.is_empty() {
            buffers.push(Buffer::Out(sent));
        }
        if wanted > 0 {
            buffers.push(Buffer::In(wanted));
        }
        buffers.push(Buffer::In(1));
        let address = driver.offer(0, 0, &buffers) + at;
        driver.notify(0);
        (driver.read::<1>(address + u64::from(wanted))[0], driver.read(address))
    }

    #[test]
    fn what_is_written_is_read_back_and_the_rest_is_zero() {
        let mut driver = disk(false);
        assert_eq!(ask(&mut driver, READ, 7, &[], 512), (OK, [0; 16]));
        assert_eq!(ask(&mut driver, WRITE, 7, &[9; 512], 0).0, OK);
        assert_eq!(ask(&mut driver, FLUSH_CACHE, 0, &[], 0).0, OK);
        assert_eq!(ask(&mut driver, READ, 7, &[], 512), (OK, [9; 16]));
        assert_eq!(ask(&mut driver, READ, 8, &[], 512), (OK, [0; 16]));
    }

    #[test]
    fn a_disk_tells_its_size_its_bounds_and_whether_it_can_be_written() {
        let (driver, readonly) = (disk(false), disk(true));
        assert_eq!([driver.get(0x100), driver.get(0x104)], [16, 0]);
        assert_eq!([driver.get(0x108), driver.get(0x10c)], [SEGMENT, MOST_SEGMENTS]);
        assert_eq!(driver.transport.device().features() & READONLY, 0);
        assert_eq!(readonly.transport.device().features() & READONLY, READONLY);
    }

    #[test]
    fn a_disk_has_a_name() {
        let (status, name) = ask(&mut disk(false), GET_ID, 0, &[], 20);
        assert_eq!((status, &name[..14]), (OK, &b"kharness-disk3"[..]));
    }

    #[test]
    fn what_does_not_lie_on_the_disk_or_is_no_whole_sector_fails_and_harms_nothing() {
        let mut driver = disk(false);
        for (sector, length) in [(16, 512), (15, 1024), (u64::MAX, 512), (1 << 55, 512), (0, 100)] {
            assert_eq!(ask(&mut driver, READ, sector, &[], length).0, FAILED, "{sector}");
            let sent = vec![1; length as usize];
            assert_eq!(ask(&mut driver, WRITE, sector, &sent, 0).0, FAILED, "{sector}");
        }
        assert_eq!(ask(&mut driver, 11, 0, &[], 0).0, UNSUPPORTED);
        assert_eq!(ask(&mut disk(true), WRITE, 0, &[1; 512], 0).0, FAILED);
        assert!(!driver.needs_reset());
    }

    #[test]
    fn requests_without_header_or_room_for_an_answer_stop_the_device() {
        let whole = header(READ, 0);
        for buffers in [vec![Buffer::Out(b"short"), Buffer::In(1)], vec![Buffer::Out(&whole)]] {
            let mut driver = disk(false);
            driver.offer(0, 0, &buffers);
            driver.notify(0);
            assert!(driver.needs_reset());
        }
    }

    #[test]
    fn an_answer_of_gigabytes_stops_the_device() {
        let mut driver = disk(false);
        let request = header(READ, 0);
        driver.offer(0, 0, &[Buffer::Out(&request)]);
        for index in 1..8 {
            driver.describe(0, index - 1, 0x10_0000, 16, 1, index);
            driver.describe(0, index, 0, 3 << 20, if index < 7 { 3 } else { 2 }, index + 1);
        }
        driver.describe(0, 0, 0x1_1000, 16, 1, 1);
        driver.notify(0);
        assert!(driver.needs_reset());
    }

    proptest! {
        #[test]
        fn no_request_makes_the_device_panic_or_write_outside_of_its_disk(
            requests in proptest::collection::vec(
                (0u32..12, prop_oneof![0u64..20, any::<u64>()], 0usize..900, 0u32..1100), 1..30),
        ) {
            let mut driver = disk(false);
            for (kind, sector, sent, wanted) in requests {
                let status = ask(&mut driver, kind, sector, &vec![5; sent], wanted).0;
                // Memory of the guest that an earlier answer went to may stand where the status was to be.
                prop_assert!(driver.needs_reset() || status <= UNSUPPORTED);
            }
        }
    }
}
