//! A client and its Signaling, by hand.

use crate::engine::client::Client;
use crate::engine::config::{ClientConfig, LocalTimescale, PortConfig};
use crate::engine::event::Event;
use crate::engine::{Engine, Input, Instant, Output};
use ptp_common::net::Channel;
use ptp_common::wire::{
    Body, CancelUnicast, ClockIdentity, Flags, GrantUnicast, Header, Message, MessageType, PortIdentity,
    RequestUnicast, Tlv,
};
use std::net::{IpAddr, Ipv4Addr};

pub(super) const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 1));
pub(super) const IDENTITY: PortIdentity =
    PortIdentity { clock_identity: ClockIdentity([2, 0, 0, 0xff, 0xfe, 0, 0, 2]), port_number: 1 };

pub(super) fn config() -> ClientConfig {
    let port_identity = PortIdentity { clock_identity: ClockIdentity([9; 8]), port_number: 1 };
    let port = PortConfig::plain(port_identity, LocalTimescale::Tai);
    ClientConfig::plain(port, SERVER)
}

/// What a client sent and told.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) requests: Vec<RequestUnicast>,
    pub(super) cancels: Vec<CancelUnicast>,
    pub(super) acknowledged: Vec<MessageType>,
    pub(super) events: Vec<Event>,
}

pub(super) fn listen(client: &mut Client) -> Said {
    let mut said = Said::default();
    while let Some(output) = client.poll_output() {
        match output {
            Output::Send { packet, .. } => {
                let message = Message::parse(packet.as_bytes()).expect("a client's own message");
                for tlv in message.suffix.iter() {
                    match tlv {
                        Tlv::RequestUnicast(request) => said.requests.push(request),
                        Tlv::CancelUnicast(cancel) => said.cancels.push(cancel),
                        Tlv::AcknowledgeCancelUnicast(cancel) => said.acknowledged.push(cancel.message_type),
                        _ => {}
                    }
                }
            }
            Output::Event(event) => said.events.push(event),
            _ => {}
        }
    }
    said
}

pub(super) fn tell(client: &mut Client, now: Instant, tlvs: &[Tlv<'_>]) {
    let header = Header { flags: Flags::UNICAST, source_port_identity: IDENTITY, ..Header::default() };
    let message = Message::new(header, Body::Signaling { target_port_identity: PortIdentity::WILDCARD });
    let mut octets = [0; 192];
    let length = message.emit_with_tlvs(tlvs, &mut octets).expect("it fits");
    let bytes = &octets[..length];
    client.handle(now, Input::Received { bytes, from: SERVER, channel: Channel::General, rx: None });
}

pub(super) fn grant(message_type: MessageType, duration_field: u32) -> Tlv<'static> {
    Tlv::GrantUnicast(GrantUnicast {
        message_type,
        log_inter_message_period: 0,
        duration_field,
        renewal_invited: true,
    })
}
