//! A packet that is not exactly what was asked for changes nothing but a counter.
//!
//! A forger who knows address, domain, identities and sequenceId is out of scope until the AUTHENTICATION TLV.

use ptp_common::net::Channel;
use ptp_common::time::Timestamp;
use ptp_common::wire::{
    Announce, Body, CancelUnicast, ClockQuality, Flags, GrantUnicast, Header, Message, MessageType,
    PortIdentity, Tlv,
};
use ptp_ctl::sim::{NodeId, Oscillator, World};
use ptp_tests::sim::{CLIENT, SERVER_A, SERVER_B, client, identity, server};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 9));

/// A message, and what is true of it if it is what it seems to be.
struct Packet {
    from: IpAddr,
    channel: Channel,
    header: Header,
    body: Body,
    tlvs: Vec<Tlv<'static>>,
}

impl Packet {
    fn bytes(&self) -> Vec<u8> {
        let mut octets = vec![0; 256];
        let message = Message::new(self.header, self.body);
        let length = message.emit_with_tlvs(&self.tlvs, &mut octets).expect("fits");
        octets.truncate(length);
        octets
    }
}

fn header(sequence_id: u16) -> Header {
    Header {
        flags: Flags::UNICAST,
        source_port_identity: identity(2),
        sequence_id,
        log_message_interval: 0x7f,
        ..Header::default()
    }
}

fn general(sequence_id: u16, body: Body) -> Packet {
    Packet { from: SERVER_A, channel: Channel::General, header: header(sequence_id), body, tlvs: Vec::new() }
}

/// Messages of every type that a client of `SERVER_A` takes, each with a content that would do harm.
fn harmful() -> Vec<Packet> {
    let late = Timestamp::from_nanos(1_900_000_000_000_000_000);
    let announce = Announce {
        origin_timestamp: late,
        current_utc_offset: 99,
        grandmaster_priority1: 0,
        grandmaster_clock_quality: ClockQuality {
            clock_class: 255,
            clock_accuracy: 0,
            offset_scaled_log_variance: 0,
        },
        grandmaster_priority2: 0,
        grandmaster_identity: identity(66).clock_identity,
        steps_removed: 0,
        time_source: 0,
    };
    let grant = |message_type| {
        Tlv::GrantUnicast(GrantUnicast {
            message_type,
            log_inter_message_period: 7,
            duration_field: 0,
            renewal_invited: false,
        })
    };
    let cancel = |message_type| {
        Tlv::CancelUnicast(CancelUnicast { message_type, maintain_request: true, maintain_grant: false })
    };
    let types = [MessageType::Announce, MessageType::Sync, MessageType::DelayResp];
    let signaling = Body::Signaling { target_port_identity: identity(1) };
    vec![
        Packet { channel: Channel::Event, ..general(50_000, Body::Sync { origin_timestamp: late }) },
        general(50_000, Body::FollowUp { precise_origin_timestamp: late }),
        general(0, Body::DelayResp { receive_timestamp: late, requesting_port_identity: identity(1) }),
        general(50_000, Body::Announce(announce)),
        Packet { tlvs: types.map(grant).to_vec(), ..general(50_000, signaling) },
        Packet { tlvs: types.map(cancel).to_vec(), ..general(50_000, signaling) },
    ]
}

/// A locked client of two servers.
fn world() -> (World, NodeId) {
    let mut world = World::new(1);
    world.add_server(SERVER_A, server(2), Oscillator::PERFECT);
    world.add_server(SERVER_B, server(3), Oscillator::PERFECT);
    let node = world.add_client(CLIENT, client(&[SERVER_A, SERVER_B]), Oscillator::new(5e6, 30e3));
    world.run_for(Duration::from_secs(20));
    world.take_reports();
    (world, node)
}

fn snapshot(world: &World, node: NodeId) -> String {
    format!("{:?}", world.client(node).expect("the client").status(world.instant()))
}

fn counted(world: &World, node: NodeId) -> Vec<(&'static str, u64)> {
    world.client(node).expect("the client").counters().filter(|(_, count)| *count > 0).collect()
}

/// Injects a packet; the one counter that it raised. Panics if anything else came of it.
fn refused(world: &mut World, node: NodeId, packet: &Packet, bytes: &[u8]) -> &'static str {
    let (before, counters) = (snapshot(world, node), counted(world, node));
    world.inject(node, packet.from, packet.channel, bytes);
    world.run_for(Duration::ZERO);
    assert_eq!(before, snapshot(world, node), "{:?} {:?}", packet.header, packet.body);
    assert!(world.take_reports().is_empty(), "{:?} {:?}", packet.header, packet.body);
    let raised: Vec<_> = counted(world, node).into_iter().filter(|count| !counters.contains(count)).collect();
    assert_eq!(raised.len(), 1, "{raised:?}");
    raised[0].0
}

#[test]
fn one_wrong_field_is_enough_to_be_refused() {
    type Forge = fn(&mut Packet);
    let forgeries: [(&str, Forge); 6] = [
        ("unknown_source", |packet| packet.from = STRANGER),
        ("wrong_source_identity", |packet| packet.from = SERVER_B),
        ("wrong_source_identity", |packet| packet.header.source_port_identity = identity(66)),
        ("wrong_domain", |packet| packet.header.domain_number = 1),
        ("wrong_sdo_id", |packet| packet.header.sdo_id = 0x100),
        ("wrong_port", |packet| {
            packet.channel = if packet.channel == Channel::Event { Channel::General } else { Channel::Event };
        }),
    ];
    let (mut world, node) = world();
    for (expected, forge) in forgeries {
        for mut packet in harmful() {
            forge(&mut packet);
            let reason = refused(&mut world, node, &packet, &packet.bytes());
            assert_eq!(reason, expected, "{:?}", packet.body);
        }
    }
}

#[test]
fn what_nobody_asked_for_is_refused() {
    let (mut world, node) = world();
    let [_, _, mut answer, _, mut grant, mut cancel]: [Packet; 6] =
        harmful().try_into().unwrap_or_else(|_| panic!("six packets"));
    answer.header.sequence_id = 40_000;
    assert_eq!(refused(&mut world, node, &answer, &answer.bytes()), "unknown_sequence");
    answer.body =
        Body::DelayResp { receive_timestamp: Timestamp::ZERO, requesting_port_identity: identity(66) };
    assert_eq!(refused(&mut world, node, &answer, &answer.bytes()), "wrong_requester");
    assert_eq!(refused(&mut world, node, &grant, &grant.bytes()), "unasked");
    for packet in [&mut grant, &mut cancel] {
        packet.body =
            Body::Signaling { target_port_identity: PortIdentity { port_number: 7, ..identity(1) } };
        assert_eq!(refused(&mut world, node, packet, &packet.bytes()), "wrong_target");
    }
}

#[test]
fn truncated_and_malformed_packets_are_refused() {
    let (mut world, node) = world();
    for packet in harmful() {
        let bytes = packet.bytes();
        for length in 0..bytes.len() {
            let reason = refused(&mut world, node, &packet, &bytes[..length]);
            assert!(["truncated", "length_beyond_packet"].contains(&reason), "{reason}");
        }
        let mut version_1 = bytes.clone();
        version_1[1] = 1;
        assert_eq!(refused(&mut world, node, &packet, &version_1), "unsupported_version");
        let mut peer_delay = bytes.clone();
        peer_delay[0] = 0x02;
        assert_eq!(refused(&mut world, node, &packet, &peer_delay), "unsupported_message_type");
    }
}

#[test]
fn messages_without_a_grant_are_unasked() {
    let mut world = World::new(2);
    let node = world.add_client(CLIENT, client(&[SERVER_A]), Oscillator::PERFECT);
    world.run_for(Duration::from_millis(10));
    world.take_reports();
    for packet in harmful().into_iter().take(4) {
        let expected = match packet.body {
            // Its own grant may have been overtaken: kept, and refused once there is one of another identity.
            Body::Announce(_) | Body::Sync { .. } | Body::FollowUp { .. } => "before_grant",
            _ => "unasked",
        };
        assert_eq!(refused(&mut world, node, &packet, &packet.bytes()), expected);
    }
}
