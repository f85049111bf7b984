//! Prints the reports of a log as JSON lines: `cargo run -p klog --example reports FILE`.

use std::error::Error;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    for path in env::args().skip(1) {
        for report in klog::reports(&fs::read(&path)?) {
            println!("{}", serde_json::to_string(&report)?);
        }
    }
    Ok(())
}
