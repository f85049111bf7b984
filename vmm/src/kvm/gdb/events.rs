//! While the guest runs: waiting for it to stop, or for gdb to interrupt it.

use std::io;
use std::time::Duration;

use gdbstub::common::{Signal, Tid};
use gdbstub::conn::ConnectionExt;
use gdbstub::stub::MultiThreadStopReason;
use gdbstub::stub::run_blocking::{BlockingEventLoop, Event, WaitForStopReasonError};

use super::breakpoints::{BP_VECTOR, DB_VECTOR};
use super::connection::Line;
use super::guest::Guest;
use super::stops::DebugExit;

/// How long processors may take to come out of the guest.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bit `BS` of DR6: a single step.
const STEPPED: u64 = 1 << 14;

type Reason = MultiThreadStopReason<u64>;

/// See [`BlockingEventLoop`].
pub(super) enum Events {}

impl BlockingEventLoop for Events {
    type Target = Guest;
    type Connection = Line;
    type StopReason = Reason;

    fn wait_for_stop_reason(
        guest: &mut Guest,
        line: &mut Line,
    ) -> Result<Event<Reason>, WaitForStopReasonError<io::Error, io::Error>> {
        loop {
            if let Some(reason) = guest.stopped().map_err(WaitForStopReasonError::Target)? {
                return Ok(Event::TargetStopped(reason));
            }
            if line.poll().map_err(WaitForStopReasonError::Connection)?.is_some() {
                let byte = line.read().map_err(WaitForStopReasonError::Connection)?;
                return Ok(Event::IncomingData(byte));
            }
        }
    }

    fn on_interrupt(guest: &mut Guest) -> io::Result<Option<Reason>> {
        guest.halt()?;
        Ok(Some(Reason::SignalWithThread { tid: Tid::MIN, signal: Signal::SIGINT }))
    }
}

impl Guest {
    /// Brings all processors out of the guest.
    pub(super) fn halt(&self) -> io::Result<()> {
        self.shared.pause();
        self.shared.control.settle(PATIENCE).map_err(|cpu| {
            let words = format!("vCPU {cpu} does not leave the guest");
            io::Error::new(io::ErrorKind::TimedOut, words)
        })
    }

    /// Why the guest stopped, if it has, and gdb is to know.
    fn stopped(&mut self) -> io::Result<Option<Reason>> {
        if self.shared.control.is_stopping() {
            return Ok(Some(Reason::Exited(0)));
        }
        let Some(exit) = self.shared.debug_stops.take() else { return Ok(None) };
        self.halt()?;
        let reason = self.reason(exit);
        if reason.is_none() {
            self.go(Some(exit))?;
        }
        Ok(reason)
    }

    /// None for an exception that is the guest's own.
    fn reason(&self, exit: DebugExit) -> Option<Reason> {
        let tid = Tid::new(exit.cpu + 1)?;
        let trap = Reason::SignalWithThread { tid, signal: Signal::SIGTRAP };
        match exit.exception {
            BP_VECTOR => {
                self.breakpoints.code.contains_key(&exit.pc).then_some(Reason::SwBreak(tid))
            }
            DB_VECTOR if exit.dr6 & STEPPED != 0 => {
                self.orders.steps.contains(&exit.cpu).then_some(trap)
            }
            _ => self.breakpoints.hit(exit.dr6).map(|watch| match watch.kind {
                None => Reason::HwBreak(tid),
                Some(kind) => Reason::Watch { tid, kind, addr: watch.address },
            }),
        }
    }
}
