//! Control messages of the console device.
//!
//! Source: virtio 1.2, section 5.3.6.2 (`struct virtio_console_control`).

/// Bytes of a message without what may follow it.
pub(super) const SIZE: usize = 8;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The driver is ready for messages; from the driver.
    DeviceReady = 0,
    /// There is a port; to the driver.
    PortAdd = 1,
    /// The driver has set up a port; from the driver.
    PortReady = 3,
    /// The port is a console; to the driver.
    ConsolePort = 4,
    /// One side opened (1) or closed (0) its end.
    PortOpen = 6,
    /// The name of a port follows; to the driver.
    PortName = 7,
}

impl Event {
    const ALL: [Self; 6] = [
        Self::DeviceReady,
        Self::PortAdd,
        Self::PortReady,
        Self::ConsolePort,
        Self::PortOpen,
        Self::PortName,
    ];
}

/// A control message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) port: u32,
    pub(super) event: Event,
    pub(super) value: u16,
}

impl Message {
    /// Reads one; none if it is cut off, or of a kind that this device does not know.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (port, rest) = bytes.split_first_chunk()?;
        let (event, rest) = rest.split_first_chunk()?;
        let value = rest.first_chunk()?;
        let event = u16::from_le_bytes(*event);
        Some(Self {
            port: u32::from_le_bytes(*port),
            event: Event::ALL.into_iter().find(|known| *known as u16 == event)?,
            value: u16::from_le_bytes(*value),
        })
    }

    /// Its bytes, with `text` behind it.
    pub(super) fn encode(self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SIZE + text.len());
        bytes.extend(self.port.to_le_bytes());
        bytes.extend((self.event as u16).to_le_bytes());
        bytes.extend(self.value.to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_their_bytes() {
        for event in Event::ALL {
            let message = Message { port: 1, event, value: 0x102 };
            let bytes = message.encode("name");
            assert_eq!(bytes.len(), SIZE + 4);
            assert_eq!(Message::decode(&bytes), Some(message));
        }
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_none() {
        let bytes = Message { port: 0, event: Event::PortOpen, value: 1 }.encode("");
        for length in 0..SIZE {
            assert_eq!(Message::decode(&bytes[..length]), None);
        }
        assert_eq!(Message::decode(&[0, 0, 0, 0, 99, 0, 0, 0]), None);
    }
}
