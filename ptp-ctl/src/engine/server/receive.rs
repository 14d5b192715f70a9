//! What comes in: a packet of which nothing is wanted changes nothing but a counter.

use super::clients::{Key, Service};
use super::{Count, Server, cancel};
use crate::engine::Instant;
use ptp_common::net::Channel;
use ptp_common::time::Timestamp;
use ptp_common::wire::{Body, Header, Message};
use std::net::IpAddr;

impl Server {
    pub(super) fn received(
        &mut self,
        now: Instant,
        bytes: &[u8],
        from: IpAddr,
        channel: Channel,
        rx: Option<Timestamp>,
    ) {
        let message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(error) => {
                self.malformed[error.index()] += 1;
                return;
            }
        };
        let count = match self.dispatch(now, &message, from, channel, rx) {
            Ok(count) | Err(count) => count,
        };
        self.counts.count(count);
    }

    /// `Err` where the message was not used.
    fn dispatch(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        from: IpAddr,
        channel: Channel,
        rx: Option<Timestamp>,
    ) -> Result<Count, Count> {
        let header = &message.header;
        if header.domain_number != self.config.port.domain_number {
            return Err(Count::WrongDomain);
        }
        if header.sdo_id != self.config.port.sdo_id {
            return Err(Count::WrongSdoId);
        }
        let is_event = matches!(message.body, Body::Sync { .. } | Body::DelayReq { .. });
        if is_event != (channel == Channel::Event) {
            return Err(Count::WrongPort);
        }
        match message.body {
            Body::DelayReq { .. } => self.delay_req(now, header, from, rx),
            Body::Signaling { target_port_identity } => {
                self.signaling(now, message, from, target_port_identity)
            }
            _ => Err(Count::NotForServer),
        }
    }

    fn delay_req(
        &mut self,
        now: Instant,
        header: &Header,
        from: IpAddr,
        rx: Option<Timestamp>,
    ) -> Result<Count, Count> {
        let key = (from, header.source_port_identity);
        let client = self.clients.find(key).and_then(|id| self.clients.get(id));
        if !client.is_some_and(|client| client.has_until(Service::DelayResp, now)) {
            return Err(self.remind(now, key));
        }
        let receive_timestamp = self.served(rx.ok_or(Count::NoRxStamp)?);
        self.send_delay_resp(from, header, receive_timestamp);
        Ok(Count::DelayReq)
    }

    /// Tells somebody who has no grant of anything and does not know it: this server was restarted. Who has one is left alone:
    /// ptp4l sends Delay_Req before it asks for answers to them, and a CANCEL would make it begin again, for ever.
    fn remind(&mut self, now: Instant, key: Key) -> Count {
        if self.clients.find(key).is_some() || !self.is_allowed(key) || !self.recent.may_remind(now, key) {
            return Count::NotGranted;
        }
        let (address, port_identity) = key;
        self.send_signaling(address, port_identity, &Service::ALL.map(Service::message_type).map(cancel));
        Count::Reminded
    }
}
