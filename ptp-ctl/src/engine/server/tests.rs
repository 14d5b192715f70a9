use super::*;
use crate::engine::Packet;
use crate::engine::config::{AutoQuality, LocalTimescale, PortConfig};
use ptp_common::net::Channel;
use ptp_common::wire::{Body, ClockIdentity, Flags, Header, Message, RequestUnicast};
use std::net::Ipv4Addr;
use std::time::Duration;

const NOW: Instant = Instant::from_nanos(5_000_000_000);
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fn identity(number: u8) -> PortIdentity {
    PortIdentity { clock_identity: ClockIdentity([number; 8]), port_number: 1 }
}

fn server() -> Server {
    server_with(|_| {})
}

fn server_with(change: impl FnOnce(&mut ServerConfig)) -> Server {
    let mut config = ServerConfig::plain(PortConfig::plain(identity(9), LocalTimescale::Utc));
    change(&mut config);
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
    assert!(!answers(&receive(&mut server, NOW, identity(1), delay_req, &[])));
    let granted = ask(&mut server, NOW, identity(1), &[request(MessageType::DelayResp, 0, 60)]);
    let is_granted = |output: &Output| {
        matches!(output, Output::Grant { message_type: MessageType::DelayResp, log_interval: 0, expires, .. }
            if *expires == NOW + Duration::from_secs(60))
    };
    assert!(granted.iter().any(is_granted));
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
    assert!(!answers(&receive(&mut server, NOW, identity(2), delay_req, &[])));
    assert!(!answers(&receive(&mut server, NOW + Duration::from_secs(60), identity(1), delay_req, &[])));
}

/// Whether there is a Delay_Resp among the outputs.
fn answers(outputs: &[Output]) -> bool {
    outputs.iter().any(|output| match output {
        Output::Send { packet, .. } => {
            let message = Message::parse(packet.as_bytes()).expect("well formed");
            message.body.message_type() == MessageType::DelayResp
        }
        _ => false,
    })
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

/// Asks for all three types at this rate.
fn ask_all(server: &mut Server, number: u8, log_interval: i8) -> Vec<(i8, u32)> {
    let types = [MessageType::Announce, MessageType::Sync, MessageType::DelayResp];
    let requests = types.map(|message_type| request(message_type, log_interval, 60));
    grants(&ask(server, NOW, identity(number), &requests))
}

#[test]
fn a_client_gets_less_than_it_asks_for_rather_than_nothing() {
    let mut server = server_with(|config| config.policy.max_client_rate = Some(16));
    // 16 a second, two of each Sync and its Follow_Up, and enough kept back for what is still to be granted.
    assert_eq!(ask_all(&mut server, 1, -3), [(-1, 60), (-2, 60), (-2, 60)]);
    assert_eq!(server.promised_rate(), 2.0 + 8.0 + 4.0);
    // Asking again changes nothing: what it has does not count against it.
    assert_eq!(ask_all(&mut server, 1, -3), [(-1, 60), (-2, 60), (-2, 60)]);
    assert_eq!(server.promised_rate(), 14.0);
}

#[test]
fn all_clients_together_are_promised_no_more_than_the_limit() {
    let mut server = server_with(|config| {
        config.policy.max_clients = 100;
        config.policy.max_rate = Some(40);
    });
    let mut denied = 0;
    for number in 1..100 {
        let granted = ask_all(&mut server, number, 0);
        assert!(granted.iter().all(|&(log_interval, _)| (0..=4).contains(&log_interval)), "{granted:?}");
        denied += granted.iter().filter(|&&(_, duration)| duration == 0).count();
        assert!(server.promised_rate() <= 40.0);
    }
    assert!(denied > 0 && server.promised_rate() > 39.0, "{denied} denied, {}", server.promised_rate());
    // What one gives back, another can have.
    let cancels = [MessageType::Announce, MessageType::Sync, MessageType::DelayResp].map(|message_type| {
        Tlv::CancelUnicast(CancelUnicast { message_type, maintain_request: false, maintain_grant: true })
    });
    ask(&mut server, NOW, identity(1), &cancels);
    assert!(server.promised_rate() <= 36.0);
    assert_eq!(
        grants(&ask(&mut server, NOW, identity(99), &[request(MessageType::Announce, 0, 60)])),
        [(0, 60)]
    );
    // And what ends by itself.
    sent_until(&mut server, NOW + Duration::from_secs(60));
    assert_eq!(server.promised_rate(), 0.0);
}

#[test]
fn only_allowed_addresses_are_served_and_denials_do_not_flood() {
    let mut server = server_with(|config| config.policy.allowed = vec!["192.0.2.0/24".parse().unwrap()]);
    let mut told = 0;
    for number in 0..50 {
        let outputs = ask(&mut server, NOW, identity(number), &[request(MessageType::Sync, 0, 60)]);
        assert_eq!(grants(&outputs), [(0, 0)]);
        told += outputs.iter().filter(|output| matches!(output, Output::Event(_))).count();
    }
    assert_eq!(told, 1);
    let delay_req = Body::DelayReq { origin_timestamp: Timestamp::ZERO };
    assert!(receive(&mut server, NOW, identity(1), delay_req, &[]).is_empty(), "strangers are told nothing");
}

#[test]
fn each_message_type_has_its_shortest_interval() {
    let mut server = server();
    assert_eq!(ask_all(&mut server, 1, -7), [(-1, 60), (-4, 60), (-4, 60)]);
    assert_eq!(ask_all(&mut server, 2, 127), [(10, 60), (10, 60), (10, 60)]);
}

fn signal(server: &mut Server, now: Instant, sequence_id: u16, tlv: Tlv<'_>) -> Vec<Output> {
    let body = Body::Signaling { target_port_identity: PortIdentity::WILDCARD };
    let header = Header { source_port_identity: identity(1), sequence_id, ..Header::default() };
    let packet = Packet::new(&Message::new(header, body), &[tlv]).expect("fits");
    let input =
        Input::Received { bytes: packet.as_bytes(), from: CLIENT, channel: Channel::General, rx: None };
    server.handle(now, input);
    std::iter::from_fn(|| server.poll_output()).collect()
}

#[test]
fn a_request_that_was_overtaken_changes_nothing() {
    let mut server = server();
    let late = NOW + Duration::from_millis(50);
    signal(&mut server, NOW, 8, request(MessageType::Sync, 0, 60));
    assert!(signal(&mut server, late, 7, request(MessageType::Sync, -3, 300)).is_empty());
    let cancel =
        CancelUnicast { message_type: MessageType::Sync, maintain_request: false, maintain_grant: true };
    signal(&mut server, late, 9, Tlv::CancelUnicast(cancel));
    // The same request once more must not bring the service back to a client that has gone.
    assert!(signal(&mut server, late, 8, request(MessageType::Sync, 0, 60)).is_empty());
    assert!(server.status(late).clients.is_empty());
    // A client that was restarted counts from zero.
    let later = NOW + Duration::from_millis(200);
    assert_eq!(grants(&signal(&mut server, later, 0, request(MessageType::Sync, 0, 60))), [(0, 60)]);
}

#[test]
fn only_the_flag_of_a_client_ends_a_clients_grant() {
    let mut server = server();
    ask(&mut server, NOW, identity(1), &[request(MessageType::Sync, 0, 60)]);
    let cancel =
        CancelUnicast { message_type: MessageType::Sync, maintain_request: true, maintain_grant: false };
    ask(&mut server, NOW, identity(1), &[Tlv::CancelUnicast(cancel)]);
    assert_eq!(server.status(NOW).clients.len(), 1);
}

/// The message types that a CANCEL among the outputs names.
fn cancelled(outputs: &[Output]) -> Vec<MessageType> {
    let mut types = Vec::new();
    for output in outputs {
        let Output::Send { packet, .. } = output else { continue };
        for tlv in Message::parse(packet.as_bytes()).expect("well formed").suffix {
            if let Tlv::CancelUnicast(CancelUnicast { message_type, maintain_grant: false, .. }) = tlv {
                types.push(message_type);
            }
        }
    }
    types
}

#[test]
fn who_asks_without_a_grant_is_told_so_once_a_second() {
    let mut server = server();
    let delay_req = Body::DelayReq { origin_timestamp: Timestamp::ZERO };
    let mut told = Vec::new();
    for tenth in 0..30 {
        let now = NOW + Duration::from_millis(100) * tenth;
        told.extend(cancelled(&receive(&mut server, now, identity(1), delay_req, &[])));
    }
    assert_eq!(told, [MessageType::Announce, MessageType::Sync, MessageType::DelayResp].repeat(3));
    // Nobody with a grant of anything: it may be about to ask for the rest.
    let now = NOW + Duration::from_secs(10);
    ask(&mut server, now, identity(1), &[request(MessageType::Sync, 0, 60)]);
    let told = cancelled(&receive(&mut server, now, identity(1), delay_req, &[]));
    assert_eq!(told, []);
    // However many they are.
    let now = NOW + Duration::from_secs(20);
    let told: usize = (0..=u16::MAX)
        .map(|number| PortIdentity { port_number: number, ..identity(3) })
        .map(|client| cancelled(&receive(&mut server, now, client, delay_req, &[])).len())
        .sum();
    assert_eq!(told, 3 * 100);
}

fn judged(primary: bool, clock: Option<KernelClock>) -> Server {
    let mut server =
        server_with(|config| config.auto_quality = Some(AutoQuality { primary, holdover_limit_ns: 100_000 }));
    if let Some(clock) = clock {
        server.handle(NOW, Input::KernelClock(clock));
    }
    server
}

#[test]
fn a_grandmaster_judges_itself_by_the_kernel() {
    let clock = |synchronised, micros| KernelClock {
        synchronised,
        max_error: Duration::from_micros(micros),
        ..KernelClock::default()
    };
    let announced = |server: &Server| {
        let announced = server.status(NOW).announced;
        (announced.clock_class, announced.clock_accuracy, announced.time_source, announced.time_traceable)
    };
    // Without a primary reference it is 248, whoever keeps it.
    assert_eq!(announced(&judged(false, None)), (248, 0xfe, 0xa0, false));
    assert_eq!(announced(&judged(false, Some(clock(true, 900)))), (248, 0x29, 0x50, false));
    assert_eq!(announced(&judged(false, Some(clock(true, 11_000_000)))), (248, 0x31, 0x50, false));
    assert_eq!(announced(&judged(false, Some(clock(false, 900)))), (248, 0xfe, 0xa0, false));
    // With one: believed where the kernel does not know, else only while somebody keeps the clock.
    assert_eq!(announced(&judged(true, None)), (6, 0xfe, 0xa0, true));
    let mut server = judged(true, Some(clock(false, 50)));
    assert_eq!(announced(&server).0, 248, "never yet");
    for (clock, expected) in
        [(clock(true, 50), 6), (clock(false, 50), 7), (clock(false, 101), 160), (clock(true, 2), 6)]
    {
        server.handle(NOW, Input::KernelClock(clock));
        assert_eq!(announced(&server).0, expected, "{clock:?}");
        assert_eq!(announced(&server).3, matches!(expected, 6 | 7), "{clock:?}");
    }
}

#[test]
fn leap_seconds_of_the_kernel_are_announced() {
    for (leap59, leap61) in [(true, false), (false, true), (false, false)] {
        let server = judged(false, Some(KernelClock { leap59, leap61, ..KernelClock::default() }));
        let announced = server.status(NOW).announced;
        assert_eq!((announced.leap59, announced.leap61), (leap59, leap61));
    }
}

#[test]
fn an_unknown_utc_offset_is_told_once() {
    let mut server = server();
    let mut told = |seconds| {
        server.handle(NOW, Input::TaiOffset(seconds));
        let outputs: Vec<_> = std::iter::from_fn(|| server.poll_output()).collect();
        let unknown = |output: &Output| match output {
            Output::Event(event) => event.reason == Some(Reason::UtcOffsetUnknown),
            _ => false,
        };
        outputs.iter().any(unknown)
    };
    assert_eq!([None, None, Some(37), None, None].map(&mut told), [true, false, false, true, false]);
}
