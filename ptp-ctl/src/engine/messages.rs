//! Messages by their type, as management tells them.

use super::Output;

/// How many messages of each messageType (four bits) came to an engine and went out from it, whatever became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// Received.
    pub received: [u64; 16],
    /// Sent.
    pub sent: [u64; 16],
}

impl MessageCounts {
    pub(super) fn count_received(&mut self, bytes: &[u8]) {
        self.received[message_type(bytes)] += 1;
    }

    pub(super) fn count_sent(&mut self, output: Option<&Output>) {
        if let Some(Output::Send { packet, .. }) = output {
            self.sent[message_type(packet.as_bytes())] += 1;
        }
    }

    /// With what somebody else received and sent at the same port.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        let pairs = self.received.iter_mut().chain(&mut self.sent);
        for (count, more) in pairs.zip(other.received.iter().chain(&other.sent)) {
            *count += more;
        }
        self
    }
}

fn message_type(bytes: &[u8]) -> usize {
    bytes.first().map_or(0, |first| usize::from(first & 0xf))
}
