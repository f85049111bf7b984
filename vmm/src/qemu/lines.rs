//! Serial lines whose far ends are files.
//!
//! QEMU can do an execution again only if it never depended on how fast somebody read: a socket that is full makes the
//! guest's serial line wait, at moments that are in no log. A file is never full. What the guest sends is read from the
//! file as it grows.
//!
//! What is sent to the guest comes out of a FIFO, and QEMU takes it before it is the guest's turn: the 16 bytes that the
//! line holds (16550A) are all that may be under way, or the rest is lost. So the agent acknowledges what it got
//! ([`ACKNOWLEDGED`]), and no more is sent before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::{ACKNOWLEDGED, Event};

/// How often to look whether a file has grown.
const LOOK: Duration = Duration::from_millis(2);

/// What fits into the line's buffer.
const AT_ONCE: usize = 16;

/// How long the guest may take to read that; a kernel that is busy with interrupts off takes a while.
const PATIENCE: Duration = Duration::from_secs(60);

/// The files of the control channel, under the names that QEMU's `pipe` wants.
#[derive(Debug)]
pub(super) struct ControlFiles {
    base: PathBuf,
}

impl ControlFiles {
    /// Makes them below `dir`.
    pub fn create(dir: &Path) -> io::Result<Self> {
        let files = Self { base: dir.join("control") };
        let _ = fs::remove_file(files.input());
        mknodat(CWD, files.input(), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        File::create(files.output())?;
        Ok(files)
    }

    /// What QEMU is told: it appends `.in` and `.out`.
    pub fn base(&self) -> &Path {
        &self.base
    }

    fn input(&self) -> PathBuf {
        self.base.with_extension("in")
    }

    fn output(&self) -> PathBuf {
        self.base.with_extension("out")
    }

    /// Both ends of the harness: where it writes, and where it reads.
    pub fn open(&self) -> io::Result<(File, File)> {
        // A FIFO that is opened for both ways does not wait for the other end.
        let input = OpenOptions::new().read(true).write(true).open(self.input())?;
        Ok((input, File::open(self.output())?))
    }
}

impl Drop for ControlFiles {
    fn drop(&mut self) {
        // Who has them open keeps them; one that stays is a nuisance only.
        let _ = fs::remove_file(self.input());
        let _ = fs::remove_file(self.output());
    }
}

/// How much of what was sent is still under way.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: usize,
    closed: bool,
}

impl UnderWay {
    fn acknowledge(&self, bytes: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.bytes = state.bytes.saturating_sub(bytes);
        self.changed.notify_all();
    }

    fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }

    /// Waits until nothing is under way, and notes that `bytes` are.
    fn expect(&self, bytes: usize, patience: Duration) -> io::Result<()> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, patience, |state| state.bytes > 0 && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if state.bytes > 0 {
            let words = "the agent does not take what is sent to it";
            return Err(io::Error::new(io::ErrorKind::TimedOut, words));
        }
        state.bytes = bytes;
        Ok(())
    }
}

/// The sending end of the control channel.
#[derive(Debug)]
pub(super) struct Paced {
    pub out: File,
    pub under_way: Arc<UnderWay>,
}

impl Paced {
    /// Sends all of `bytes`, as fast as the agent takes them.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(AT_ONCE).try_for_each(|chunk| {
            self.under_way.expect(chunk.len(), PATIENCE)?;
            self.out.write_all(chunk)
        })
    }
}

/// Passes on what a growing file gets, until QEMU has ended and the file is read.
pub(super) fn follow(
    file: File,
    ended: Arc<AtomicBool>,
    events: SyncSender<Event>,
    wrap: fn(Vec<u8>) -> Event,
    under_way: Option<Arc<UnderWay>>,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("qemu-file".into()).spawn(move || {
        let mut position = 0;
        let mut buffer = vec![0; 64 << 10];
        loop {
            // In this order, or its last words could be lost.
            let is_last = ended.load(Ordering::SeqCst);
            match file.read_at(&mut buffer, position) {
                Ok(length @ 1..) => {
                    position += length as u64;
                    let bytes = &buffer[..length];
                    if let Some(under_way) = &under_way {
                        under_way.acknowledge(bytes.iter().filter(|&&b| b == ACKNOWLEDGED).count());
                    }
                    if events.send(wrap(bytes.to_vec())).is_err() {
                        break;
                    }
                }
                _ if is_last => break,
                _ => sleep(LOOK),
            }
        }
        if let Some(under_way) = under_way {
            under_way.close();
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn no_more_is_sent_than_the_line_holds_until_it_is_acknowledged() {
        let dir = tempfile::tempdir().unwrap();
        let files = ControlFiles::create(dir.path()).unwrap();
        let (out, _) = files.open().unwrap();
        let far = File::options().read(true).write(true).open(files.input()).unwrap();
        let under_way = Arc::<UnderWay>::default();
        let mut paced = Paced { out, under_way: Arc::clone(&under_way) };
        let sent = thread::spawn(move || paced.send(&[7; 40]));
        for length in [16, 16, 8] {
            let mut bytes = [0; 64];
            assert_eq!(io::Read::read(&mut &far, &mut bytes).unwrap(), length);
            under_way.acknowledge(length - 1);
            sleep(LOOK);
            assert!(length < AT_ONCE || !sent.is_finished());
            under_way.acknowledge(1);
        }
        sent.join().unwrap().unwrap();
    }

    #[test]
    fn who_waits_for_a_guest_that_ended_or_does_not_read_is_told() {
        let under_way = UnderWay::default();
        under_way.expect(1, Duration::ZERO).unwrap();
        let late = under_way.expect(1, Duration::from_millis(1)).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        under_way.close();
        assert_eq!(under_way.expect(1, PATIENCE).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_file_is_read_as_it_grows_and_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut file = File::create(&path).unwrap();
        let (events, received) = sync_channel(9);
        let (ended, under_way) = (Arc::new(AtomicBool::new(false)), Arc::<UnderWay>::default());
        under_way.expect(2, PATIENCE).unwrap();
        let reading = File::open(&path).unwrap();
        let counted = Some(Arc::clone(&under_way));
        let thread = follow(reading, Arc::clone(&ended), events, Event::Control, counted).unwrap();
        for words in [&b"one\x06"[..], b"two\x06"] {
            file.write_all(words).unwrap();
            assert_eq!(received.recv().unwrap(), Event::Control(words.to_vec()));
        }
        under_way.expect(1, PATIENCE).unwrap();
        file.write_all(b"end").unwrap();
        ended.store(true, Ordering::SeqCst);
        thread.join().unwrap();
        assert_eq!(received.recv().unwrap(), Event::Control(b"end".to_vec()));
        assert!(received.recv().is_err());
    }
}
