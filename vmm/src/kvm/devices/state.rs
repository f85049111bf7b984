//! What the devices hold, to be put into those of another machine later, or back into the same.

use serde::{Deserialize, Serialize};

use super::serial::SerialState;
use super::virtio::{ConsoleState, TransportState};

/// What all devices hold. The early console holds nothing, once what it collected is carried on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DevicesState {
    pub(super) serial: SerialState,
    pub(super) console: TransportState<ConsoleState>,
    pub(super) entropy: TransportState<()>,
}

/// Why a device cannot be put back: no device of this machine was ever in that state.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unfit(pub(super) &'static str);

/// What the devices of a machine hold that has not run.
#[cfg(test)]
pub(crate) fn test_state() -> DevicesState {
    let memory = crate::kvm::memory::GuestMemory::new(4 << 20).unwrap();
    super::Devices::alone(&memory, &std::sync::Arc::default(), Vec::new()).unwrap().save()
}

#[cfg(test)]
mod tests {
    use super::super::Devices;
    use super::*;
    use crate::kvm::memory::GuestMemory;

    fn restored(from: &str, to: &str) -> Result<(), Unfit> {
        let text = serde_json::to_string(&test_state()).unwrap();
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let state: DevicesState = serde_json::from_str(&changed).unwrap();
        let memory = GuestMemory::new(4 << 20).unwrap();
        Devices::alone(&memory, &std::sync::Arc::default(), Vec::new()).unwrap().restore(&state)
    }

    #[test]
    fn what_no_device_can_be_in_is_refused() {
        for (from, to) in [
            ("\"max_size\":128", "\"max_size\":127"),
            ("\"max_size\":128", "\"max_size\":64"),
            ("\"size\":128", "\"size\":256"),
            ("\"event_idx_enabled\":false", "\"event_idx_enabled\":true"),
            ("\"driver_features\":0", "\"driver_features\":1"),
        ] {
            assert!(restored(from, to).is_err(), "{to}");
        }
        let input = format!("\"in_buffer\":[{}]", vec!["1"; 65].join(","));
        assert!(restored("\"in_buffer\":[]", &input).is_err());
    }

    #[test]
    fn a_running_queue_outside_of_ram_is_refused() {
        let ready = "\"ready\":true,\"desc_table\":1099511627776";
        let text = serde_json::to_string(&test_state()).unwrap();
        let lost = text.replacen("\"ready\":false,\"desc_table\":0", ready, 1);
        let running = lost.replacen("\"status\":0", "\"status\":4", 1);
        let memory = GuestMemory::new(4 << 20).unwrap();
        for (text, sound) in [(lost.clone(), true), (running, false)] {
            let state: DevicesState = serde_json::from_str(&text).unwrap();
            let devices = Devices::alone(&memory, &std::sync::Arc::default(), Vec::new()).unwrap();
            assert_eq!(devices.restore(&state).is_ok(), sound, "{text}");
        }
    }
}
