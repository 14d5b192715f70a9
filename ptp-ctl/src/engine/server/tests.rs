use super::*;
use crate::engine::config::PortConfig;
use ptp_common::wire::{ClockIdentity, ClockQuality, MessageType, RequestUnicast};
use std::net::Ipv4Addr;
use std::time::Duration;

const NOW: Instant = Instant::from_nanos(5_000_000_000);
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fn identity(number: u8) -> PortIdentity {
    PortIdentity { clock_identity: ClockIdentity([number; 8]), port_number: 1 }
}

fn server() -> Server {
    let port = PortConfig {
        port_identity: identity(9),
        domain_number: 0,
        sdo_id: 0,
        minor_version: 0,
        local_timescale: LocalTimescale::Utc,
        seed: 1,
    };
    let clock_quality =
        ClockQuality { clock_class: 248, clock_accuracy: 0xfe, offset_scaled_log_variance: 0xffff };
    let config = ServerConfig {
        port,
        priority1: 128,
        priority2: 128,
        clock_quality,
        time_source: 0xa0,
        two_step: true,
        max_clients: 2,
        max_duration: 300,
        min_log_interval: -4,
    };
    Server::new(NOW, config)
}

fn receive(
    server: &mut Server,
    now: Instant,
    from: PortIdentity,
    body: Body,
    tlvs: &[Tlv<'_>],
) -> Vec<Output> {
    let header = Header { source_port_identity: from, sequence_id: 3, ..Header::default() };
    let packet = Packet::new(&Message::new(header, body), tlvs).expect("fits");
    let (channel, rx) = match body {
        Body::DelayReq { .. } => (Channel::Event, Some(Timestamp::from_nanos(77))),
        _ => (Channel::General, None),
    };
    server.handle(now, Input::Received { bytes: packet.as_bytes(), from: CLIENT, channel, rx });
    std::iter::from_fn(|| server.poll_output()).collect()
}

fn request(message_type: MessageType, log_inter_message_period: i8, duration_field: u32) -> Tlv<'static> {
    Tlv::RequestUnicast(RequestUnicast { message_type, log_inter_message_period, duration_field })
}

fn ask(server: &mut Server, now: Instant, from: PortIdentity, tlvs: &[Tlv<'_>]) -> Vec<Output> {
    receive(server, now, from, Body::Signaling { target_port_identity: PortIdentity::WILDCARD }, tlvs)
}

/// (log interval, duration) of every grant among the outputs.
fn grants(outputs: &[Output]) -> Vec<(i8, u32)> {
    let mut grants = Vec::new();
    for output in outputs {
        if let Output::Send { packet, .. } = output {
            let message = Message::parse(packet.as_bytes()).expect("well formed");
            for tlv in message.suffix.iter() {
                if let Tlv::GrantUnicast(grant) = tlv {
                    grants.push((grant.log_inter_message_period, grant.duration_field));
                }
            }
        }
    }
    grants
}

/// The messages that the server sends until `end`, by type.
fn sent_until(server: &mut Server, end: Instant) -> Vec<(Instant, MessageType)> {
    let mut sent = Vec::new();
    while let Some(at) = server.poll_timeout().filter(|&at| at <= end) {
        server.handle_timeout(at);
        while let Some(output) = server.poll_output() {
            if let Output::Send { packet, .. } = output {
                let message = Message::parse(packet.as_bytes()).expect("well formed");
                sent.push((at, message.body.message_type()));
            }
        }
    }
    sent
}

#[test]
fn grants_within_its_limits() {
    let mut server = server();
    let outputs = ask(
        &mut server,
        NOW,
        identity(1),
        &[request(MessageType::Sync, -7, 1000), request(MessageType::Announce, 1, 60)],
    );
    assert_eq!(grants(&outputs), [(-4, 300), (1, 60)]);
}

#[test]
fn the_first_announce_and_sync_follow_at_once() {
    let mut server = server();
    ask(
        &mut server,
        NOW,
        identity(1),
        &[request(MessageType::Sync, 0, 60), request(MessageType::Announce, 1, 60)],
    );
    let sent = sent_until(&mut server, NOW);
    assert_eq!(sent.len(), 2, "{sent:?}");
}

#[test]
fn sends_at_the_granted_rate_until_the_end_and_not_once_after() {
    let mut server = server();
    ask(&mut server, NOW, identity(1), &[request(MessageType::Sync, -3, 60)]);
    let sent = sent_until(&mut server, NOW + Duration::from_secs(1000));
    assert!((475..=487).contains(&sent.len()), "{}", sent.len());
    assert!(sent.last().expect("some").0 < NOW + Duration::from_secs(60));
    assert!(server.status(NOW + Duration::from_secs(60)).clients.is_empty());
    assert_eq!(server.poll_timeout(), None);
}

#[test]
fn a_third_client_is_denied() {
    let mut server = server();
    for number in [1, 2] {
        assert_eq!(
            grants(&ask(&mut server, NOW, identity(number), &[request(MessageType::Sync, 0, 60)])),
            [(0, 60)]
        );
    }
    assert_eq!(grants(&ask(&mut server, NOW, identity(3), &[request(MessageType::Sync, 0, 60)])), [(0, 0)]);
    // Those who are in may ask for more.
    assert_eq!(
        grants(&ask(&mut server, NOW, identity(2), &[request(MessageType::Announce, 0, 60)])),
        [(0, 60)]
    );
}

#[test]
fn a_repeated_request_does_not_raise_the_rate() {
    let mut server = server();
    let mut now = NOW;
    let mut sent = Vec::new();
    for _ in 0..100 {
        ask(&mut server, now, identity(1), &[request(MessageType::Sync, 0, 60)]);
        now = now + Duration::from_millis(100);
        sent.extend(sent_until(&mut server, now));
    }
    assert!(sent.len() <= 21, "{} in 10 s", sent.len());
}

#[test]
fn delay_req_is_answered_for_the_granted_only() {
    let mut server = server();
    let delay_req = Body::DelayReq { origin_timestamp: Timestamp::ZERO };
    assert!(receive(&mut server, NOW, identity(1), delay_req, &[]).is_empty());
    let granted = ask(&mut server, NOW, identity(1), &[request(MessageType::DelayResp, 0, 60)]);
    assert!(granted.iter().any(|output| matches!(output, Output::Grant { .. })));
    let outputs = receive(&mut server, NOW, identity(1), delay_req, &[]);
    let [Output::Send { packet, channel: Channel::General, .. }] = outputs.as_slice() else {
        panic!("{outputs:?}");
    };
    let message = Message::parse(packet.as_bytes()).expect("well formed");
    let expected = Body::DelayResp {
        receive_timestamp: Timestamp::from_nanos(77),
        requesting_port_identity: identity(1),
    };
    assert_eq!((message.body, message.header.sequence_id), (expected, 3));
    // Somebody else behind the same address, and the same one after the end.
    assert!(receive(&mut server, NOW, identity(2), delay_req, &[]).is_empty());
    assert!(receive(&mut server, NOW + Duration::from_secs(60), identity(1), delay_req, &[]).is_empty());
}

#[test]
fn a_cancel_is_acknowledged_and_ends_the_service() {
    let mut server = server();
    ask(&mut server, NOW, identity(1), &[request(MessageType::DelayResp, 0, 60)]);
    let cancel =
        CancelUnicast { message_type: MessageType::DelayResp, maintain_request: false, maintain_grant: true };
    for round in 0..2 {
        let outputs = ask(&mut server, NOW, identity(1), &[Tlv::CancelUnicast(cancel)]);
        assert_eq!(outputs.iter().any(|output| matches!(output, Output::Revoke { .. })), round == 0);
        let acknowledged = outputs.iter().any(|output| match output {
            Output::Send { packet, .. } => Message::parse(packet.as_bytes())
                .expect("well formed")
                .suffix
                .iter()
                .any(|tlv| tlv == Tlv::AcknowledgeCancelUnicast(cancel)),
            _ => false,
        });
        assert!(acknowledged);
    }
    assert!(server.status(NOW).clients.is_empty());
}

#[test]
fn follow_up_carries_the_tx_stamp_in_the_served_timescale() {
    let mut server = server();
    server.handle(NOW, Input::TaiOffset(Some(37)));
    ask(&mut server, NOW, identity(1), &[request(MessageType::Sync, 0, 60)]);
    server.handle_timeout(NOW);
    let mut token = None;
    while let Some(output) = server.poll_output() {
        if let Output::Send { token: Some(owed), origin, .. } = output {
            assert_eq!(origin, Some(Interval::from_secs(37)));
            token = Some(owed);
        }
    }
    let token = token.expect("a Sync with a token");
    server.handle(NOW, Input::Sent { token, tx: Some(Timestamp::from_nanos(1_000)) });
    let Some(Output::Send { packet, .. }) = server.poll_output() else {
        panic!("no Follow_Up");
    };
    let message = Message::parse(packet.as_bytes()).expect("well formed");
    let expected = Timestamp::from_nanos(37_000_001_000);
    assert_eq!(message.body, Body::FollowUp { precise_origin_timestamp: expected });
}

#[test]
fn a_change_of_timescale_is_announced_before_the_next_sync() {
    let mut server = server();
    ask(
        &mut server,
        NOW,
        identity(1),
        &[request(MessageType::Sync, -3, 60), request(MessageType::Announce, 4, 60)],
    );
    let later = NOW + Duration::from_secs(20);
    sent_until(&mut server, later);
    server.handle(later, Input::TaiOffset(Some(37)));
    let Some(Output::Send { packet, .. }) = server.poll_output() else {
        panic!("nothing is sent at once");
    };
    let message = Message::parse(packet.as_bytes()).expect("well formed");
    assert_eq!(message.body.message_type(), MessageType::Announce);
    assert!(message.header.flags.contains(Flags::PTP_TIMESCALE));
}
