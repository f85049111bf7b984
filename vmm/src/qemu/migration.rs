//! Saves a machine's state and loads it again, by way of QEMU's migration.
//!
//! Only CPUs and devices are in the state: RAM that is shared with a file stays out of it
//! (`x-ignore-shared`, QEMU's qapi/migration.json), and whoever loads the state brings a copy.

use std::fs::File;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::qmp::Client;

/// The state of a machine is a few hundred kilobytes; a loaded host may still need a while.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(1);

/// The name under which the monitor knows the state's file.
const STATE: &str = "state";

impl Client {
    /// Writes the state of a paused machine to `state`.
    pub fn save(&mut self, state: &File) -> io::Result<()> {
        self.leave_ram_out()?;
        self.give_file(STATE, state)?;
        self.execute("migrate", json!({ "uri": format!("fd:{STATE}") }))?;
        self.poll("query-migrate", |status| match status {
            "completed" => Some(Ok(())),
            "failed" | "cancelled" => Some(Err(io::Error::other("QEMU could not save its state"))),
            _ => None,
        })
    }

    /// Gives a machine that awaits it the state in `state`; it is paused then.
    pub fn load(&mut self, state: &File) -> io::Result<()> {
        self.leave_ram_out()?;
        self.give_file(STATE, state)?;
        self.execute("migrate-incoming", json!({ "uri": format!("fd:{STATE}") }))?;
        self.poll("query-status", |status| (status != "inmigrate").then_some(Ok(())))
    }

    fn leave_ram_out(&mut self) -> io::Result<()> {
        let capability = json!({ "capability": "x-ignore-shared", "state": true });
        let arguments = json!({ "capabilities": [capability] });
        self.execute("migrate-set-capabilities", arguments).map(drop)
    }

    fn poll(
        &mut self,
        command: &str,
        judge: impl Fn(&str) -> Option<io::Result<()>>,
    ) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let answer = self.execute(command, Value::Null)?;
            if let Some(result) = judge(answer["status"].as_str().unwrap_or_default()) {
                return result;
            }
            sleep(POLL);
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "QEMU's migration does not end"))
    }
}
