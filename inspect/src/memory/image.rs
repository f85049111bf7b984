//! Guest-physical memory as segments of a byte source: a RAM file, a raw dump, an ELF vmcore.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{ByteSource, MemoryError, PhysicalMemory};
use crate::Address;

/// One range of guest RAM and where its bytes are in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Guest-physical start.
    pub start: Address,
    /// Length in bytes.
    pub length: Address,
    /// Offset of the first byte in the source.
    pub offset: Address,
}

/// The segments of an x86 RAM file of `size` bytes, whose RAM below 4 GiB ends at `low_limit` (the
/// start of the PCI hole) and goes on at 4 GiB.
#[must_use]
pub fn x86_segments(size: u64, low_limit: u64) -> Vec<Segment> {
    let low = size.min(low_limit);
    let segment = |start, length, offset| Segment {
        start: Address(start),
        length: Address(length),
        offset: Address(offset),
    };
    let mut segments = vec![segment(0, low, 0)];
    if size > low {
        segments.push(segment(1 << 32, size - low, low));
    }
    segments
}

/// Guest-physical memory over a [`ByteSource`].
#[derive(Debug)]
pub struct MemoryImage<S> {
    source: S,
    segments: Vec<Segment>,
    ranges: Vec<Range<u64>>,
}

impl<S: ByteSource> MemoryImage<S> {
    /// Checks the segments against the source and each other.
    ///
    /// # Errors
    /// [`MemoryError::Segment`] for one that is empty, overflows, overlaps or leaves the source.
    pub fn new(source: S, mut segments: Vec<Segment>) -> Result<Self, MemoryError> {
        segments.sort_by_key(|segment| segment.start);
        let mut ranges: Vec<Range<u64>> = Vec::with_capacity(segments.len());
        for segment in &segments {
            let range = checked_range(segment, source.length())?;
            if ranges.last().is_some_and(|last| last.end > range.start) {
                return Err(refuse(segment, "overlaps the one before it"));
            }
            ranges.push(range);
        }
        Ok(Self { source, segments, ranges })
    }

    /// The segment that holds `address`.
    fn segment(&self, address: u64) -> Option<(&Segment, &Range<u64>)> {
        let index = self.ranges.partition_point(|range| range.end <= address);
        let range = self.ranges.get(index)?;
        range.contains(&address).then(|| (&self.segments[index], range))
    }
}

fn refuse(segment: &Segment, reason: &'static str) -> MemoryError {
    MemoryError::Segment { start: segment.start.0, length: segment.length.0, reason }
}

fn checked_range(segment: &Segment, source: u64) -> Result<Range<u64>, MemoryError> {
    let end = segment
        .start
        .0
        .checked_add(segment.length.0)
        .filter(|end| *end > segment.start.0)
        .ok_or_else(|| refuse(segment, "is empty or passes the end of the address space"))?;
    segment
        .offset
        .0
        .checked_add(segment.length.0)
        .filter(|last| *last <= source)
        .ok_or_else(|| refuse(segment, "reaches past the end of the file: is it truncated?"))?;
    Ok(segment.start.0..end)
}

impl<S: ByteSource> PhysicalMemory for MemoryImage<S> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), MemoryError> {
        let length = buffer.len();
        let hole = || MemoryError::Hole { address, length };
        let (segment, range) = self.segment(address).ok_or_else(hole)?;
        if range.end - address < length as u64 {
            return Err(hole());
        }
        let offset = segment.offset.0 + (address - range.start);
        self.source.read_at(offset, buffer).map_err(|source| MemoryError::Io {
            offset,
            length,
            source,
        })
    }

    fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    fn next_data(&self, from: u64) -> Option<Range<u64>> {
        self.segments.iter().zip(&self.ranges).filter(|(_, range)| from < range.end).find_map(
            |(segment, range)| {
                let skip = from.saturating_sub(range.start);
                let data = self.source.next_data(segment.offset.0 + skip)?;
                let physical = |offset: u64| range.start.saturating_add(offset - segment.offset.0);
                let (start, end) = (physical(data.start), physical(data.end));
                (start < range.end).then(|| start..end.min(range.end))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(
        size: usize,
        segments: &[(u64, u64, u64)],
    ) -> Result<MemoryImage<Vec<u8>>, MemoryError> {
        let bytes = (0..size).map(|byte| u8::try_from(byte % 251).unwrap()).collect();
        let segments = segments
            .iter()
            .map(|&(start, length, offset)| Segment {
                start: Address(start),
                length: Address(length),
                offset: Address(offset),
            })
            .collect();
        MemoryImage::new(bytes, segments)
    }

    #[test]
    fn ram_above_the_pci_hole_is_behind_the_low_ram_in_the_file() {
        let segments = x86_segments(3 << 30, 2 << 30);
        assert_eq!(segments.len(), 2);
        assert_eq!(segments[1].start, Address(1 << 32));
        assert_eq!(segments[1].offset, Address(2 << 30));
        assert_eq!(x86_segments(1 << 30, 2 << 30).len(), 1);
    }

    #[test]
    fn reads_are_translated_and_the_hole_is_refused() {
        let memory = image(8192, &[(0, 4096, 0), (0x10000, 4096, 4096)]).unwrap();
        let mut byte = [0];
        memory.read(0x10001, &mut byte).unwrap();
        assert_eq!(usize::from(byte[0]), 4097 % 251);
        assert!(memory.read(4096, &mut byte).is_err());
        assert!(memory.read(0x10fff, &mut [0; 2]).is_err());
        assert_eq!(memory.end(), 0x11000);
    }

    #[test]
    fn segments_that_cannot_be_are_refused() {
        for segments in [
            &[(0, 0, 0)][..],
            &[(0, 8193, 0)],
            &[(u64::MAX, 2, 0)],
            &[(0, 1, u64::MAX)],
            &[(0, 4096, 0), (4095, 10, 0)],
        ] {
            assert!(image(8192, segments).is_err(), "{segments:?}");
        }
    }

    #[test]
    fn data_is_found_across_segments() {
        let memory = image(8192, &[(0, 4096, 0), (0x10000, 4096, 4096)]).unwrap();
        assert_eq!(memory.next_data(100), Some(100..4096));
        assert_eq!(memory.next_data(4096), Some(0x10000..0x11000));
        assert_eq!(memory.next_data(0x11000), None);
    }
}
