//! Pseudo-terminals, pty(7), of programs that a person talks to.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use agent_protocol::{Failure, TerminalSize};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::failure::{Context, failure};

/// How long a program may leave its input unread before what is typed is lost.
const PATIENCE: Duration = Duration::from_millis(200);

/// A new terminal: the agent's end, which does not block, and the program's.
pub fn open(size: TerminalSize) -> Result<(OwnedFd, File), Failure> {
    let made = || {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        tcsetwinsize(&ours, winsize(size))?;
        rustix::fs::fcntl_setfl(&ours, OFlags::RDWR | OFlags::NONBLOCK)?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let theirs = rustix::fs::open(ptsname(&ours, Vec::new())?, flags, Mode::empty())?;
        Ok::<_, Errno>((ours, File::from(theirs)))
    };
    made().context(|| "cannot make a terminal".to_owned())
}

/// Gives the terminal another size; its program gets `SIGWINCH`.
pub fn resize(terminal: &OwnedFd, size: TerminalSize) -> Result<(), Failure> {
    tcsetwinsize(terminal, winsize(size)).context(|| "cannot resize the terminal".to_owned())
}

/// Types `bytes`. Waits a little for a program that does not read.
pub fn type_into(terminal: &OwnedFd, mut bytes: &[u8]) -> Result<(), Failure> {
    while !bytes.is_empty() {
        match rustix::io::write(terminal, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if has_room(terminal) => {}
            Err(Errno::AGAIN) => return Err(failure("its program does not read what is typed")),
            Err(errno) => return Err(errno).context(|| "cannot type".to_owned()),
        }
    }
    Ok(())
}

fn has_room(terminal: &OwnedFd) -> bool {
    let patience = Timespec::try_from(PATIENCE).ok();
    let mut fds = [PollFd::from_borrowed_fd(terminal.as_fd(), PollFlags::OUT)];
    poll(&mut fds, patience.as_ref()).is_ok_and(|ready| ready > 0)
}

fn winsize(size: TerminalSize) -> Winsize {
    Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 }
}
