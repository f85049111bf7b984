//! Lines in the kernel log.

use std::fs::File;
use std::io::Write;

use agent_protocol::STEP_MARKER;

/// The kernel refuses longer records (`PRINTKRB_RECORD_MAX`, kernel/printk/printk.c).
const LONGEST: usize = 900;

/// Marks the start of a step, so that a kernel report can be attributed to it.
pub fn mark(step: &str) {
    log(5, &format!("{STEP_MARKER}{step}"));
}

/// Says on the console what the agent cannot say on the control channel.
pub fn error(text: &str) {
    log(3, &format!("kharness-agent: {text}"));
}

/// One record at a syslog level, in one `write(2)`. The file is opened anew for each: the kernel
/// limits the rate of an open file (`devkmsg_write`, kernel/printk/printk.c), and a marker that
/// it drops is a report blamed on the wrong step. There is nobody to tell if even this fails.
fn log(level: u8, text: &str) {
    let text = text.replace(['\n', '\r'], " ");
    let end = text.floor_char_boundary(LONGEST);
    let record = format!("<{level}>{}\n", &text[..end]);
    if let Ok(mut kmsg) = File::options().write(true).open("/dev/kmsg") {
        let _ = kmsg.write_all(record.as_bytes());
    }
}
