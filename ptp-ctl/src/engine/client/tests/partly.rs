//! A server that grants some types and denies others, and what else is said in Signaling.

use super::NOW;
use crate::engine::client::Client;
use crate::engine::config::{ClientConfig, LocalTimescale, PortConfig, Retry, Select, ServerEntry, Standby};
use crate::engine::event::{Event, Kind, Reason};
use crate::engine::{Engine, Input, Instant, Output};
use ptp_common::net::Channel;
use ptp_common::wire::{
    Body, CancelUnicast, ClockIdentity, Flags, GrantUnicast, Header, Message, MessageType, PortIdentity, Tlv,
};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 1));
const IDENTITY: PortIdentity =
    PortIdentity { clock_identity: ClockIdentity([2, 0, 0, 0xff, 0xfe, 0, 0, 2]), port_number: 1 };

fn client() -> Client {
    let port = PortConfig {
        port_identity: PortIdentity { clock_identity: ClockIdentity([9; 8]), port_number: 1 },
        domain_number: 0,
        sdo_id: 0,
        minor_version: 0,
        local_timescale: LocalTimescale::Tai,
        seed: 1,
    };
    let config = ClientConfig {
        port,
        servers: vec![ServerEntry { address: SERVER, local_priority: 1 }],
        log_announce_interval: 0,
        log_sync_interval: 0,
        log_delay_resp_interval: 0,
        duration: 300,
        announce_receipt_timeout: 3,
        sync_receipt_timeout: 3,
        wait_to_restore: Duration::ZERO,
        max_steps_removed: 255,
        check_interval: Duration::from_secs(1),
        retry: Retry::Fast,
        select: Select::Btca,
        standby: Standby::Hot,
        switch_slew_ppb: 1_000.0,
        max_variation_ns: None,
        max_asymmetry_ns: None,
        delay_asymmetry_ns: 0,
        servo: None,
    };
    Client::new(NOW, config)
}

/// What a client sent and told.
#[derive(Default)]
struct Said {
    requests: Vec<MessageType>,
    cancels: Vec<CancelUnicast>,
    acknowledged: Vec<MessageType>,
    events: Vec<Event>,
}

fn listen(client: &mut Client) -> Said {
    let mut said = Said::default();
    while let Some(output) = client.poll_output() {
        match output {
            Output::Send { packet, .. } => {
                let message = Message::parse(packet.as_bytes()).expect("a client's own message");
                for tlv in message.suffix.iter() {
                    match tlv {
                        Tlv::RequestUnicast(request) => said.requests.push(request.message_type),
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

fn tell(client: &mut Client, now: Instant, tlvs: &[Tlv<'_>]) {
    let header = Header { flags: Flags::UNICAST, source_port_identity: IDENTITY, ..Header::default() };
    let message = Message::new(header, Body::Signaling { target_port_identity: PortIdentity::WILDCARD });
    let mut octets = [0; 192];
    let length = message.emit_with_tlvs(tlvs, &mut octets).expect("it fits");
    let bytes = &octets[..length];
    client.handle(now, Input::Received { bytes, from: SERVER, channel: Channel::General, rx: None });
}

fn grant(message_type: MessageType, duration_field: u32) -> Tlv<'static> {
    Tlv::GrantUnicast(GrantUnicast {
        message_type,
        log_inter_message_period: 0,
        duration_field,
        renewal_invited: true,
    })
}

/// Lets time pass; whatever is asked for is answered by `duration`, 0 = denied.
fn answer(
    client: &mut Client,
    from: Instant,
    seconds: u64,
    duration: impl Fn(MessageType) -> u32,
) -> (Instant, Said) {
    let end = from + Duration::from_secs(seconds);
    let mut all = Said::default();
    let mut now = from;
    while let Some(at) = client.poll_timeout().filter(|&at| at <= end) {
        now = at.max(now);
        client.handle_timeout(now);
        let said = listen(client);
        let answers: Vec<_> = said.requests.iter().map(|&kind| grant(kind, duration(kind))).collect();
        if !answers.is_empty() {
            tell(client, now, &answers);
        }
        all.requests.extend(said.requests);
        all.cancels.extend(said.cancels);
        all.events.extend(said.events);
        all.events.extend(listen(client).events);
    }
    (end, all)
}

#[test]
fn what_is_granted_in_part_is_given_up_and_asked_for_again_together() {
    let mut client = client();
    let no_sync = |kind| if kind == MessageType::Sync { 0 } else { 300 };
    let (now, said) = answer(&mut client, NOW, 4, no_sync);
    let denied = said.events.iter().filter(|event| event.kind == Kind::Denied).count();
    assert_eq!(denied, 1, "told once");
    let cancelled: Vec<_> = said.cancels.iter().map(|cancel| cancel.message_type).collect();
    assert_eq!(cancelled[..2], [MessageType::Announce, MessageType::DelayResp]);
    assert!(said.cancels.iter().all(|cancel| !cancel.maintain_request && cancel.maintain_grant));
    let given_up = said.events.iter().find(|event| event.kind == Kind::Cancelled);
    assert_eq!(given_up.and_then(|event| event.reason), Some(Reason::ServedInPart));
    assert_eq!(client.status(now).servers[0].reason, Some(Reason::SyncNegoDeny));

    let (now, said) = answer(&mut client, now, 6, |_| 300);
    assert_eq!(said.requests[..3], [MessageType::Announce, MessageType::Sync, MessageType::DelayResp]);
    let grants = &client.status(now).servers[0].grants;
    assert_eq!([grants.announce.state, grants.sync.state, grants.delay_resp.state], ["granted"; 3]);
}

#[test]
fn a_cancel_is_acknowledged_as_often_as_it_comes_and_ends_one_grant() {
    let mut client = client();
    client.handle_timeout(NOW);
    listen(&mut client);
    let all = [MessageType::Announce, MessageType::Sync, MessageType::DelayResp].map(|kind| grant(kind, 300));
    tell(&mut client, NOW, &all);
    listen(&mut client);
    let now = NOW + Duration::from_millis(100);
    let cancel = Tlv::CancelUnicast(CancelUnicast {
        message_type: MessageType::Sync,
        maintain_request: true,
        maintain_grant: false,
    });
    for first in [true, false] {
        tell(&mut client, now, &[cancel]);
        let said = listen(&mut client);
        assert_eq!(said.acknowledged, [MessageType::Sync]);
        assert_eq!(said.events.iter().any(|event| event.kind == Kind::Cancelled), first);
    }
    let sync = &client.status(now).servers[0].grants.sync;
    assert_eq!((sync.state, sync.duration_s), ("cancelled", None));
}

#[test]
fn without_a_route_a_server_is_left_at_once() {
    let mut client = client();
    client.handle_timeout(NOW);
    listen(&mut client);
    client.handle(NOW, Input::Unreachable { to: SERVER });
    client.handle(NOW, Input::Unreachable { to: SERVER });
    let reasons: Vec<_> = listen(&mut client).events.iter().map(|event| (event.kind, event.reason)).collect();
    assert_eq!(reasons, [(Kind::Unusable, Some(Reason::RouteUnreach))]);
}
