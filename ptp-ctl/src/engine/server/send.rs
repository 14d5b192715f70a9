//! What goes out: Announce, Sync and its Follow_Up, Signaling.

use super::clients::{ClientId, Service};
use super::{Count, Server};
use crate::engine::{Output, Packet, TxToken};
use ptp_common::net::Channel;
use ptp_common::time::{Interval, Timestamp};
use ptp_common::wire::{Body, Flags, Header, Message, PathTrace, PortIdentity, Tlv};
use std::net::IpAddr;

impl Server {
    pub(super) fn packet(&self, message: &Message<'_>, tlvs: &[Tlv<'_>]) -> Packet {
        Packet::new(message, tlvs).expect("a server's own messages fit into a packet")
    }

    fn send(&mut self, to: IpAddr, channel: Channel, packet: Packet, stamp: Stamp) {
        let local_to_served = self.local_to_served().unwrap_or(Interval::ZERO);
        let (token, origin) = match stamp {
            Stamp::None => (None, None),
            Stamp::Origin => (None, Some(local_to_served)),
            Stamp::Tx(token) => (Some(token), Some(local_to_served)),
        };
        self.outputs.push_back(Output::Send { to, channel, packet, token, origin });
    }

    pub(super) fn send_signaling(
        &mut self,
        to: IpAddr,
        target_port_identity: PortIdentity,
        tlvs: &[Tlv<'_>],
    ) {
        if tlvs.is_empty() {
            return;
        }
        let sequence_id = self.signaling_sequence_id;
        self.signaling_sequence_id = sequence_id.wrapping_add(1);
        let message =
            Message::new(self.config.port.header(sequence_id), Body::Signaling { target_port_identity });
        self.send(to, Channel::General, self.packet(&message, tlvs), Stamp::None);
    }

    pub(super) fn announce(&self, sequence_id: u16, log_interval: i8) -> Packet {
        let (announce, flags, path) = self.data_set();
        let header = self.config.port.header(sequence_id);
        let flags = header.flags.with(flags);
        let header = Header { flags, log_message_interval: log_interval, ..header };
        let octets = path.octets();
        let trace = PathTrace::new(&octets).filter(|_| !octets.is_empty()).map(Tlv::PathTrace);
        self.packet(&Message::new(header, Body::Announce(announce)), trace.as_slice())
    }

    pub(super) fn send_announce(&mut self, to: IpAddr, sequence_id: u16, log_interval: i8) {
        self.send(to, Channel::General, self.announce(sequence_id, log_interval), Stamp::Origin);
        self.counts.count(Count::AnnounceSent);
    }

    pub(super) fn send_sync(&mut self, to: IpAddr, client: ClientId, sequence_id: u16) {
        let mut header = self.config.port.header(sequence_id);
        if self.config.two_step {
            header.flags = header.flags.with(Flags::TWO_STEP);
        }
        let message = Message::new(header, Body::Sync { origin_timestamp: Timestamp::ZERO });
        let token = SyncToken { client, generation: self.generation, sequence_id }.pack();
        let stamp = if self.config.two_step { Stamp::Tx(token) } else { Stamp::Origin };
        self.send(to, Channel::Event, self.packet(&message, &[]), stamp);
        self.counts.count(Count::SyncSent);
    }

    /// The answer to a Delay_Req with this header.
    pub(super) fn send_delay_resp(&mut self, to: IpAddr, question: &Header, receive_timestamp: Timestamp) {
        let Header { sequence_id, correction_field, source_port_identity, .. } = *question;
        let header = Header { correction_field, ..self.config.port.header(sequence_id) };
        let body = Body::DelayResp { receive_timestamp, requesting_port_identity: source_port_identity };
        self.send(to, Channel::General, self.packet(&Message::new(header, body), &[]), Stamp::None);
    }

    /// The TX stamp of a Sync came back, or was lost.
    pub(super) fn sent(&mut self, token: TxToken, tx: Option<Timestamp>) {
        let token = SyncToken::unpack(token);
        let Some(tx) = tx else {
            self.counts.count(Count::NoTxStamp);
            return;
        };
        if token.generation != self.generation {
            self.counts.count(Count::AroundChange);
            return;
        }
        // The client may have gone since; its place may even be another's, who will not know the sequenceId.
        let Some(client) = self.clients.get(token.client).filter(|client| client.has(Service::Sync)) else {
            return;
        };
        let (address, _) = client.key;
        let body = Body::FollowUp { precise_origin_timestamp: self.served(tx) };
        let message = Message::new(self.config.port.header(token.sequence_id), body);
        self.send(address, Channel::General, self.packet(&message, &[]), Stamp::None);
        self.counts.count(Count::FollowUpSent);
    }
}

/// What time goes into a message, and who learns of it.
enum Stamp {
    /// None.
    None,
    /// The time just before sending, into the originTimestamp.
    Origin,
    /// The same, and the TX stamp comes back with the token.
    Tx(TxToken),
}

/// Which Sync a TX stamp belongs to.
struct SyncToken {
    client: ClientId,
    generation: u8,
    sequence_id: u16,
}

impl SyncToken {
    fn pack(self) -> TxToken {
        TxToken(
            u64::from(self.client.0) << 32 | u64::from(self.generation) << 16 | u64::from(self.sequence_id),
        )
    }

    fn unpack(TxToken(packed): TxToken) -> Self {
        Self {
            client: ClientId((packed >> 32) as u32),
            generation: (packed >> 16) as u8,
            sequence_id: packed as u16,
        }
    }
}
