//! Cuts a byte stream into lines of bounded length.

/// Bytes of a line that are kept; the rest of a longer line is counted but dropped.
///
/// The kernel's own limit for a record is `PRINTKRB_RECORD_MAX` (1024) and its text is rarely longer than 1 KiB
/// (`kernel/printk/internal.h`), so this only cuts what programs print.
pub const MAX_LINE: usize = 8192;

/// A line as it lies in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLine<'a> {
    /// The line without its line feed, cut at [`MAX_LINE`].
    pub bytes: &'a [u8],
    /// Offset of the first byte in the stream.
    pub start: u64,
    /// Offset behind the last byte, the line feed included.
    pub end: u64,
    /// Whether it is known that there is no control byte in it, which whoever has many lines at once finds out cheaper.
    pub plain: bool,
}

/// Cuts chunks into lines, carrying an unfinished line over to the next chunk.
#[derive(Debug, Default)]
pub struct LineSplitter {
    partial: Vec<u8>,
    partial_len: u64,
    offset: u64,
}

impl LineSplitter {
    /// A splitter at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives each line that `chunk` completes to `line`.
    pub fn feed(&mut self, chunk: &[u8], mut line: impl FnMut(RawLine<'_>)) {
        let mut rest = chunk;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let (head, tail) = rest.split_at(at + 1);
            self.complete(head, &mut line);
            rest = tail;
        }
        self.keep(rest);
        self.partial_len += rest.len() as u64;
    }

    /// Whether the stream stands at the beginning of a line.
    pub fn at_line_start(&self) -> bool {
        self.partial_len == 0
    }

    /// Counts `len` bytes of whole lines that the caller has looked through by itself.
    pub fn skip(&mut self, len: usize) {
        debug_assert!(self.at_line_start());
        self.offset += len as u64;
    }

    /// Gives out the last line when the stream ends without a line feed.
    pub fn finish(&mut self, mut line: impl FnMut(RawLine<'_>)) {
        if self.partial_len > 0 {
            let start = self.offset;
            self.offset += self.partial_len;
            line(RawLine { bytes: &self.partial, start, end: self.offset, plain: false });
            self.partial.clear();
            self.partial_len = 0;
        }
    }

    fn complete(&mut self, head: &[u8], line: &mut impl FnMut(RawLine<'_>)) {
        let start = self.offset;
        self.offset += self.partial_len + head.len() as u64;
        let end = self.offset;
        let body = &head[..head.len() - 1];
        if self.partial_len == 0 {
            line(RawLine { bytes: &body[..body.len().min(MAX_LINE)], start, end, plain: false });
        } else {
            self.keep(body);
            line(RawLine { bytes: &self.partial, start, end, plain: false });
            self.partial.clear();
            self.partial_len = 0;
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE - self.partial.len();
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<(Vec<u8>, u64, u64)> {
        let mut out = Vec::new();
        let mut splitter = LineSplitter::new();
        let mut push = |line: RawLine<'_>| out.push((line.bytes.to_vec(), line.start, line.end));
        for chunk in chunks {
            splitter.feed(chunk, &mut push);
        }
        splitter.finish(&mut push);
        out
    }

    #[test]
    fn chunk_borders_leave_no_trace() {
        let whole = split(&[b"one\ntwo\n\nfour"]);
        assert_eq!(split(&[b"o", b"ne\ntw", b"o\n", b"\nfo", b"ur"]), whole);
        assert_eq!(whole[3], (b"four".to_vec(), 9, 13));
    }

    #[test]
    fn a_long_line_is_cut_but_its_offsets_are_true() {
        let mut log = vec![b'x'; 3 * MAX_LINE];
        log.extend_from_slice(b"\nnext\n");
        let lines = split(&[&log[..100], &log[100..]]);
        assert_eq!(lines[0].0.len(), MAX_LINE);
        assert_eq!((lines[1].0.as_slice(), lines[1].1), (&b"next"[..], 3 * MAX_LINE as u64 + 1));
    }
}
