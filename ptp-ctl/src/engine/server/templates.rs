//! The server's messages as a data plane needs them that fills in the rest by itself.

use super::Server;
use crate::engine::Packet;
use ptp_common::time::{Interval, Timestamp};
use ptp_common::wire::{Body, Message, PortIdentity};

/// Messages with zero in all that differs from one to the next: sequenceId, correctionField, stamps, the client's
/// identity and, in an Announce, logMessageInterval.
#[derive(Clone, Debug)]
pub struct Templates {
    /// A Delay_Resp.
    pub delay_resp: Packet,
    /// A one-step Sync.
    pub sync: Packet,
    /// An Announce, with PATH_TRACE where the precise plane sends it, too.
    pub announce: Packet,
    /// What brings a reading of the local clock into the timescale that is served.
    pub local_to_served: Interval,
}

impl Server {
    /// What is true now; it changes with the timescale and with what is announced.
    pub fn templates(&self) -> Templates {
        let packet = |message: &Message<'_>| self.packet(message, &[]);
        let delay_resp = Body::DelayResp {
            receive_timestamp: Timestamp::ZERO,
            requesting_port_identity: PortIdentity::default(),
        };
        let sync = Body::Sync { origin_timestamp: Timestamp::ZERO };
        Templates {
            delay_resp: packet(&Message::new(self.config.port.header(0), delay_resp)),
            sync: packet(&Message::new(self.config.port.header(0), sync)),
            announce: self.announce(0, 0),
            local_to_served: self.local_to_served().unwrap_or(Interval::ZERO),
        }
    }
}
