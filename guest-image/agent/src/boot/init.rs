//! The order in which a guest comes up.

use crate::boot::{control, mounts, protect};
use crate::{kmsg, modules, power, serve};

/// Brings the guest up, serves the harness, and switches the machine off.
pub fn run() -> ! {
    protect::report_panics();
    let mut warnings = mounts::essential();
    // Modules before the other mounts: the kernel finds the devices behind them meanwhile.
    warnings.extend(modules::load_for_boot());
    warnings.extend(protect::against_guest());
    warnings.extend(mounts::rest());
    match control::open() {
        Ok(channel) => {
            serve::on(channel, warnings);
            kmsg::error("the control channel has closed: there is nobody to serve");
        }
        Err(failure) => {
            for warning in warnings {
                kmsg::error(&warning);
            }
            kmsg::error(&failure.message);
        }
    }
    power::off()
}
