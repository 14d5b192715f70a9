//! The frames that the program makes, octet by octet, by BPF_PROG_TEST_RUN.

use super::super::{DataPlane, Grant, Hold, Mode, object, probe};
use super::*;
use aya::programs::{TestRun as _, TestRunOptions};
use nix::time::{ClockId, clock_gettime};
use ptp_common::abi::{LIVE_FRAME_LENGTH, PATH_TRACE_LENGTH, ServedTime, Serving};
use ptp_common::net::checksum::{Sum, WordSum, compute_udp};
use ptp_common::time::Timestamp;
use ptp_common::wire::{
    Announce, Body, ClockIdentity, ClockQuality, Flags, Header, Message, MessageType, PortIdentity,
};
use std::sync::atomic::AtomicU32;

const XDP_DROP: u32 = 1;
const XDP_TX: u32 = 3;
const CLIENTS: [(&str, &str); 2] = [("10.0.3.7", "10.0.2.1"), ("fd00:3::7", "fd00:2::1")];
const IDENTITY: [u8; 10] = [7; 10];
const DSCP: u8 = 56;
const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 9];
const OURS: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// An offset that shows.
const SERVED_NS: i64 = 37_000_000_000;

fn message(body: Body, sequence_id: u16, log_message_interval: i8) -> Vec<u8> {
    let header = Header {
        sdo_id: 0x123,
        domain_number: 44,
        flags: Flags::UNICAST.with(Flags::PTP_TIMESCALE),
        source_port_identity: PortIdentity { clock_identity: ClockIdentity([0xa0; 8]), port_number: 1 },
        sequence_id,
        log_message_interval,
        ..Header::default()
    };
    let mut octets = [0; 64];
    let length = Message::new(header, body).emit(&mut octets).unwrap();
    octets[..length].to_vec()
}

fn sync(sequence_id: u16, origin_timestamp: Timestamp) -> Vec<u8> {
    message(Body::Sync { origin_timestamp }, sequence_id, 0x7f)
}

fn announce(sequence_id: u16, origin_timestamp: Timestamp, log_message_interval: i8, clocks: u8) -> Vec<u8> {
    let body = Announce {
        origin_timestamp,
        current_utc_offset: 37,
        grandmaster_priority1: 127,
        grandmaster_clock_quality: ClockQuality {
            clock_class: 6,
            clock_accuracy: 0x21,
            offset_scaled_log_variance: 0x4e5d,
        },
        grandmaster_priority2: 129,
        grandmaster_identity: ClockIdentity([0xa0; 8]),
        steps_removed: 3,
        time_source: 0x20,
    };
    let mut octets = message(Body::Announce(body), sequence_id, log_message_interval);
    octets.extend(path_trace(clocks));
    let [high, low] = (octets.len() as u16).to_be_bytes();
    octets[2..4].copy_from_slice(&[high, low]);
    octets
}

/// A PATH_TRACE of so many clocks; nothing for none.
fn path_trace(clocks: u8) -> Vec<u8> {
    if clocks == 0 {
        return Vec::new();
    }
    let mut tlv = [8_u16, 8 * u16::from(clocks)].map(u16::to_be_bytes).concat();
    tlv.extend((1..=clocks).flat_map(|clock| [clock; 8]));
    tlv
}

fn serving(clocks: u8) -> Serving {
    let sync: [u8; 44] = sync(0, Timestamp::ZERO).try_into().unwrap();
    let tlv = path_trace(clocks);
    let whole = announce(0, Timestamp::ZERO, 0, clocks);
    let announce: [u8; 64] = *whole.first_chunk().unwrap();
    let mut path_trace = [0; PATH_TRACE_LENGTH];
    path_trace[..tlv.len()].copy_from_slice(&tlv);
    let software = ServedTime { reference_ns: 0, offset_ns: SERVED_NS, rate: 0 };
    Serving {
        software,
        hardware: software,
        traffic_class: DSCP << 2,
        answers: 1,
        sync,
        announce,
        path_trace,
        sync_sum: WordSum::of(&sync).raw(),
        announce_sum: WordSum::of(&announce).and(WordSum::of(&path_trace)).raw(),
        path_trace_length: tlv.len() as u32,
        ..Serving::NOTHING
    }
}

/// The whole frame.
fn frame(client: IpAddr, server: IpAddr, port: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [ROUTER, OURS].concat();
    let udp_length = 8 + payload.len() as u16;
    match (server, client) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let [high, low] = (20 + udp_length).to_be_bytes();
            let mut header = [0x45, DSCP << 2, high, low, 0, 0, 0x40, 0, 64, 17, 0, 0].to_vec();
            header.extend([source.octets(), destination.octets()].concat());
            let checksum = Sum::of(&header).checksum();
            header[10..12].copy_from_slice(&checksum.to_be_bytes());
            frame.extend([8, 0]);
            frame.extend(header);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            frame.extend([0x86, 0xdd]);
            frame.extend((6_u32 << 28 | u32::from(DSCP) << 22).to_be_bytes());
            frame.extend(udp_length.to_be_bytes());
            frame.extend([17, 64]);
            frame.extend([source.octets(), destination.octets()].concat());
        }
        _ => panic!("addresses of two families"),
    }
    let [source, destination] = [server, client].map(events::octets);
    let checksum = compute_udp(&source, &destination, [port; 2], udp_length, payload);
    for word in [port, port, udp_length, checksum] {
        frame.extend(word.to_be_bytes());
    }
    frame.extend(payload);
    frame
}

fn tai() -> Timestamp {
    let time = clock_gettime(ClockId::from_raw(libc::CLOCK_TAI)).unwrap();
    Timestamp::from_nanos(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64 + SERVED_NS as u64)
}

fn timestamp(octets: &[u8]) -> Timestamp {
    let seconds = octets[..6].iter().fold(0, |seconds, octet| seconds << 8 | u64::from(*octet));
    Timestamp::new(seconds, u32::from_be_bytes(*octets[6..].first_chunk().unwrap())).unwrap()
}

/// The program with both clients in its table.
struct Bench {
    plane: DataPlane,
    due: Mapping,
}

impl Bench {
    /// `None`, said on stderr, where the kernel or the build cannot run the test.
    fn new(test: &str) -> Option<Self> {
        if !probe::is_embedded() || !probe::missing_capabilities().is_empty() {
            eprintln!("skipped {test}: needs the XDP object, CAP_BPF and CAP_NET_ADMIN");
            return None;
        }
        let mut loaded = object::load(Mode::Native, 8).unwrap();
        loaded.fan_out().unwrap();
        let mut plane = DataPlane::from_loaded(loaded).unwrap();
        plane.heartbeat(1).unwrap();
        plane.serve(&serving(0), u64::MAX).unwrap();
        let due = Mapping::of(&plane.maps.due, names::DUE, size_of::<Due>()).unwrap();
        for (number, (client, server)) in (1_u16..).zip(CLIENTS) {
            let client = client.parse().unwrap();
            for (message_type, log_interval) in [(MessageType::Sync, -4), (MessageType::Announce, 1)] {
                let grant = Grant { message_type, log_interval, expires: u64::MAX, nic_stamp: false };
                plane.grant(client, IDENTITY, grant).unwrap();
            }
            let index = plane.maps.clients.find(&(events::octets(client), IDENTITY)).unwrap();
            plane.maps.clients.update(index, |client| {
                client.next_hop = number;
                client.sequence_ids = [0x0102, 0xffff];
            });
            let next_hop = NextHop {
                destination: ROUTER,
                source: OURS,
                reachable: 1,
                address: events::octets(server.parse().unwrap()),
            };
            let next_hops = plane.maps.next_hops.as_mut().unwrap();
            next_hops.set(number.into(), Plain(next_hop), 0).unwrap();
        }
        Some(Self { plane, due })
    }

    fn index(&self, client: IpAddr) -> u32 {
        self.plane.maps.clients.find(&(events::octets(client), IDENTITY)).unwrap()
    }

    /// Lists one message as due and runs the program: its verdict and the frame.
    fn run(&mut self, client: IpAddr, service: usize) -> (u32, Vec<u8>) {
        let message = self.index(client) << 1 | service as u32;
        let words: &[AtomicU32] = &self.due;
        words[2].store(message, Relaxed);
        words[0].store(0, Relaxed);
        // As the last receiver left it.
        let data = [0xee; LIVE_FRAME_LENGTH];
        let mut out = vec![0; 256];
        let Hold::Own(loaded) = &mut self.plane.hold else { panic!("it is ours") };
        let options =
            TestRunOptions { data_in: Some(&data), data_out: Some(&mut out), ..TestRunOptions::default() };
        let result = loaded.fan_out().unwrap().test_run(options).unwrap();
        out.truncate(result.data_size_out as usize);
        (result.return_value, out)
    }

    fn counter(&self, wanted: &str) -> u64 {
        let counters = super::super::counters::read_fan_out(&self.plane.maps.fan_out_counters).unwrap();
        counters.into_iter().find(|(name, _)| *name == wanted).unwrap().1
    }
}

#[test]
fn frames_are_exact() {
    let Some(mut bench) = Bench::new("frames_are_exact") else { return };
    for (client, server) in CLIENTS {
        let (client, server) = (client.parse().unwrap(), server.parse().unwrap());
        for (service, port, sequence_ids) in
            [(SERVICE_SYNC, 319, [0xffff, 0]), (SERVICE_ANNOUNCE, 320, [0x0102, 0x0103])]
        {
            for sequence_id in sequence_ids {
                let before = tai();
                let (verdict, found) = bench.run(client, service);
                let after = tai();
                assert_eq!(verdict, XDP_TX);
                let body = if service == SERVICE_SYNC { 10 } else { 30 };
                let stamp = timestamp(&found[found.len() - body..]);
                assert!((before..=after).contains(&stamp), "{before:?} {stamp:?} {after:?}");
                let payload = match service {
                    SERVICE_SYNC => sync(sequence_id, stamp),
                    _ => announce(sequence_id, stamp, 1, 0),
                };
                assert_eq!(found, frame(client, server, port, &payload));
            }
        }
    }
    assert_eq!((bench.counter("sync_sent"), bench.counter("announce_sent")), (4, 4));
}

#[test]
fn an_announce_says_which_clocks_its_time_came_through() {
    let Some(mut bench) = Bench::new("an_announce_says_which_clocks_its_time_came_through") else { return };
    for (clocks, sequence_id) in [(1, 0x0102), (15, 0x0103), (0, 0x0104)] {
        bench.plane.serve(&serving(clocks), u64::MAX).unwrap();
        for (client, server) in CLIENTS {
            let (client, server) = (client.parse().unwrap(), server.parse().unwrap());
            let (verdict, found) = bench.run(client, SERVICE_ANNOUNCE);
            assert_eq!(verdict, XDP_TX);
            let stamp = timestamp(&found[found.len() - 30 - path_trace(clocks).len()..]);
            let payload = announce(sequence_id, stamp, 1, clocks);
            assert_eq!(found, frame(client, server, 320, &payload), "{clocks} clocks");
        }
    }
}

#[test]
fn what_is_not_to_be_sent_is_counted() {
    let Some(mut bench) = Bench::new("what_is_not_to_be_sent_is_counted") else { return };
    let client = CLIENTS[0].0.parse().unwrap();
    let index = bench.index(client);
    bench.plane.maps.clients.update(index, |client| client.expires[SERVICE_SYNC] = 0);
    assert_eq!(bench.run(client, SERVICE_SYNC).0, XDP_DROP);
    assert_eq!(bench.counter("grant_ended"), 1);
    for next_hop in [0, 5] {
        bench.plane.maps.clients.update(index, |client| client.next_hop = next_hop);
        assert_eq!(bench.run(client, SERVICE_ANNOUNCE).0, XDP_DROP);
    }
    assert_eq!(bench.counter("unreachable"), 2);
    // No sequenceId is spent on it.
    assert_eq!(bench.plane.maps.clients.get(index).sequence_ids, [0x0102, 0xffff]);
    assert_eq!((bench.counter("sync_sent"), bench.counter("failed")), (0, 0));
}
