//! Delay_Req of granted clients go back as Delay_Resp, octet by octet as they should be.

use crate::bench::{ATTENDED, Bench, DELAY_RESP, FAMILIES, IDENTITY, XDP_DROP, now};
use crate::frame::{DELAY_REQ, Frame, message};
use nix::time::ClockId;
use ptp_common::abi::{Counter, DELAY_REQ_BURST, HEARTBEAT_TIMEOUT_NS, ServedTime, Serving};
use ptp_common::net::checksum::{Sum, WordSum, pseudo_header};
use ptp_common::time::{Correction, Timestamp};
use ptp_common::wire::{Body, ClockIdentity, Flags, Header, Message, PortIdentity};
use ptp_ctl::dataplane::Grant;
use ptp_tests::{Need, have};
use std::process::Command;

const XDP_TX: u32 = 3;
const SERVER: PortIdentity = PortIdentity {
    clock_identity: ClockIdentity([0xa0, 0xa1, 0xa2, 0xff, 0xfe, 0xa3, 0xa4, 0xa5]),
    port_number: 1,
};
const DSCP: u8 = 56;
const DOMAIN: u8 = 44;
const SDO_ID: u16 = 0x123;
const CORRECTION: i64 = 0x0102_0304_0506_0708;
const SECOND: u64 = 1_000_000_000;

fn delay_resp(
    sequence_id: u16,
    correction: i64,
    receive_timestamp: Timestamp,
    client: PortIdentity,
) -> Vec<u8> {
    let header = Header {
        sdo_id: SDO_ID,
        minor_version: 1,
        domain_number: DOMAIN,
        flags: Flags::UNICAST,
        correction_field: Correction::from_scaled(correction),
        source_port_identity: SERVER,
        sequence_id,
        log_message_interval: 0x7f,
        ..Header::default()
    };
    let body = Body::DelayResp { receive_timestamp, requesting_port_identity: client };
    let mut octets = [0; 54];
    Message::new(header, body).emit(&mut octets).unwrap();
    octets.to_vec()
}

fn serving() -> Serving {
    let template = delay_resp(0, 0, Timestamp::ZERO, PortIdentity::default());
    let header: [u8; 34] = *template.first_chunk().unwrap();
    Serving {
        delay_resp: header,
        delay_resp_sum: WordSum::of(&header).raw(),
        traffic_class: DSCP << 2,
        answers: 1,
        ..Serving::NOTHING
    }
}

fn answering(test: &str) -> Option<Bench> {
    let mut bench = Bench::new(test)?;
    bench.serve(&serving(), ATTENDED);
    Some(bench)
}

fn request(family: [&str; 3], suffix: usize) -> Frame {
    let mut payload = message(DELAY_REQ, IDENTITY, suffix);
    payload[0] |= 0x10;
    payload[4] = DOMAIN;
    payload[5] = 0x23;
    payload[8..16].copy_from_slice(&CORRECTION.to_be_bytes());
    Frame::new(family[2], family[1], payload)
}

fn client() -> PortIdentity {
    let clock_identity = ClockIdentity(*IDENTITY.first_chunk().unwrap());
    PortIdentity { clock_identity, port_number: 1 }
}

/// receiveTimestamp of an answer.
fn receive_timestamp(answer: &[u8]) -> Timestamp {
    let body = &answer[answer.len() - 20..];
    let seconds = body[..6].iter().fold(0, |seconds, octet| seconds << 8 | u64::from(*octet));
    Timestamp::new(seconds, u32::from_be_bytes(*body[6..].first_chunk().unwrap())).unwrap()
}

/// The whole frame that must come back.
fn expected(request: &Frame, receive_timestamp: Timestamp) -> Vec<u8> {
    let payload = delay_resp(0x1234, CORRECTION, receive_timestamp, client());
    let frame = Frame {
        source: request.destination,
        destination: request.source,
        source_port: 320,
        destination_port: 320,
        trailer: 0,
        payload,
        ..request.clone()
    };
    let mut octets = frame.octets();
    let (a, b) = octets[..12].split_at_mut(6);
    a.swap_with_slice(b);
    if frame.source.is_ipv6() {
        let class = u32::from(DSCP) << 22 | 6 << 28;
        octets[frame.ip_offset()..][..4].copy_from_slice(&class.to_be_bytes());
    }
    octets
}

/// What may come in of one client, tags, IPv6 padding and Ethernet padding included.
fn requests() -> Vec<Frame> {
    let mut requests = Vec::new();
    for family in FAMILIES {
        for tags in [vec![], vec![(0x8100, 0xe00a)], vec![(0x88a8, 0x0001)]] {
            for (padding, trailer) in [(0, 0), (0, 18), (2, 0), (2, 5)] {
                let mut frame = request(family, 0);
                frame.payload.extend(vec![0; padding]);
                frame.tags.clone_from(&tags);
                frame.trailer = trailer;
                requests.push(frame);
            }
        }
    }
    requests
}

#[test]
fn the_answer_is_exact() {
    let Some(mut bench) = answering("the_answer_is_exact") else { return };
    for request in requests() {
        let tai = || now(ClockId::from_raw(nix::libc::CLOCK_TAI));
        let before = Timestamp::from_nanos(tai());
        let counted = bench.counter(Counter::Answered);
        let (verdict, answer) = bench.run_out(&request.octets(), 1);
        let after = Timestamp::from_nanos(tai());
        assert_eq!((verdict, bench.counter(Counter::Answered)), (XDP_TX, counted + 1), "{request:?}");
        let stamp = receive_timestamp(&answer);
        assert!((before..=after).contains(&stamp), "{before:?} {stamp:?} {after:?}");
        assert_eq!(answer, expected(&request, stamp), "{request:?}");
    }
}

#[test]
fn t4_is_the_served_time() {
    let Some(mut bench) = answering("t4_is_the_served_time") else { return };
    let reference_ns = now(ClockId::from_raw(nix::libc::CLOCK_TAI)) - 10 * SECOND;
    for (offset_ns, rate) in [(37 * SECOND as i64, 0), (-5_000_000, 1 << 22), (12_345, -(1 << 22))] {
        let software = ServedTime { reference_ns, offset_ns, rate };
        bench.serve(&Serving { software, ..serving() }, ATTENDED);
        let tai = || now(ClockId::from_raw(nix::libc::CLOCK_TAI));
        let before = tai();
        let (_, answer) = bench.run_out(&request(FAMILIES[0], 0).octets(), 1);
        let after = tai();
        let stamp = receive_timestamp(&answer).as_nanos();
        // A thousandth, for ten seconds and a little.
        let served = |tai: u64| {
            let drift = i128::from(tai - reference_ns) * i128::from(rate) / (1 << 32);
            i128::from(tai) + i128::from(offset_ns) + drift
        };
        assert!((served(before) - 1..=served(after) + 1).contains(&stamp), "{offset_ns} {rate} {stamp}");
    }
}

#[test]
fn tshark_reads_the_answer() {
    if !have("tshark_reads_the_answer", &[Need::Program("tshark")]) {
        return;
    }
    let Some(mut bench) = answering("tshark_reads_the_answer") else { return };
    // Magic, version 2.4, time zone, accuracy, longest packet, Ethernet.
    let mut pcap = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1].map(u32::to_ne_bytes).concat();
    let requests = requests();
    for request in &requests {
        let (_, answer) = bench.run_out(&request.octets(), 1);
        let length = answer.len() as u32;
        pcap.extend([0, 0, length, length].map(u32::to_ne_bytes).concat());
        pcap.extend(answer);
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("answers.pcap");
    std::fs::write(&path, pcap).unwrap();
    let mut command = Command::new("tshark");
    command.arg("-r").arg(&path).args(["-n", "-T", "fields", "-E", "separator=|"]);
    command.args(["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]);
    for field in [
        "_ws.malformed",
        "_ws.expert.message",
        "ptp.v2.messagetype",
        "ptp.v2.messagelength",
        "ptp.v2.flags.unicast",
        "ptp.v2.sequenceid",
        "ptp.v2.dr.requestingsourceportid",
        "udp.dstport",
    ] {
        command.args(["-e", field]);
    }
    command.env("HOME", directory.path()).env_remove("XDG_CONFIG_HOME");
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), requests.len(), "{}", String::from_utf8_lossy(&output.stderr));
    for line in text.lines() {
        // Versions of tshark print truth and numbers in their own ways.
        let line = line.replace("True", "1").replace("0x09", "9").replace("0x1234", "4660");
        assert_eq!(line, "||9|54|1|4660|1|320");
    }
}

#[test]
fn udp_checksums_decide() {
    let Some(mut bench) = answering("udp_checksums_decide") else { return };
    for (family, zero_is_legal) in [(FAMILIES[0], true), (FAMILIES[1], false)] {
        for padding in [0, 2] {
            let mut frame = request(family, 0);
            frame.payload.extend(vec![0; padding]);
            let length = 8 + frame.payload.len() as u16;
            let addresses = [frame.source, frame.destination].map(crate::mapped);
            let pseudo: Sum = pseudo_header(&addresses[0], &addresses[1], length);
            let right = frame.udp_checksum();
            for (checksum, is_right) in [
                (right, true),
                (pseudo.folded(), true),
                (0, zero_is_legal),
                (right ^ 1, false),
                (!right, false),
            ] {
                let mut octets = frame.octets();
                let at = frame.udp_offset() + 6;
                octets[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
                if is_right {
                    assert_eq!(bench.run_out(&octets, 1).0, XDP_TX, "{family:?} {checksum:04x}");
                } else {
                    bench.expect(&octets, Counter::BadUdpChecksum);
                }
            }
        }
    }
}

#[test]
fn a_client_gets_its_rate_and_no_more() {
    let Some(mut bench) = answering("a_client_gets_its_rate_and_no_more") else { return };
    let [other, greedy] = FAMILIES.map(|family| request(family, 0).octets());
    let address = FAMILIES[1][2].parse().unwrap();
    // One in 16 s: within the test, only the burst.
    bench.plane.grant(address, IDENTITY, Grant { log_interval: 4, ..DELAY_RESP }).unwrap();
    let answered = bench.counter(Counter::Answered);
    for _ in 0..100 {
        bench.run_out(&greedy, 1);
    }
    assert_eq!(bench.counter(Counter::Answered) - answered, DELAY_REQ_BURST);
    bench.expect(&greedy, Counter::AboveRate);
    assert_eq!(bench.run_out(&other, 1).0, XDP_TX, "others are untouched");
}

#[test]
fn grants_end() {
    let Some(mut bench) = answering("grants_end") else { return };
    for family in FAMILIES {
        let client = family[2].parse().unwrap();
        let frame = request(family, 0).octets();
        let monotonic = now(ClockId::CLOCK_MONOTONIC);
        bench.plane.grant(client, IDENTITY, Grant { expires: monotonic - SECOND, ..DELAY_RESP }).unwrap();
        bench.expect(&frame, Counter::Reported);
        bench
            .plane
            .grant(client, IDENTITY, Grant { expires: monotonic + 60 * SECOND, ..DELAY_RESP })
            .unwrap();
        assert_eq!(bench.run_out(&frame, 1).0, XDP_TX);
        bench.plane.revoke(client, IDENTITY, DELAY_RESP.message_type).unwrap();
        bench.expect(&frame, Counter::Reported);
        // Once more is harmless.
        bench.plane.revoke(client, IDENTITY, DELAY_RESP.message_type).unwrap();
    }
}

/// The controller hears of clients without a grant, but a flood of them does not reach it.
#[test]
fn few_strangers_are_reported() {
    let Some(mut bench) = answering("few_strangers_are_reported") else { return };
    let mut frame = request(FAMILIES[0], 0);
    frame.source = "10.9.9.9".parse().unwrap();
    let octets = frame.octets();
    for _ in 0..1000 {
        assert_eq!(bench.run_out(&octets, 1).0, XDP_DROP);
    }
    let (reported, dropped) = (bench.counter(Counter::Reported), bench.counter(Counter::UnknownClient));
    assert_eq!(reported + dropped, 1000);
    // 16 at once, and 100 in a second, of which this takes a part; each on one of the CPUs.
    assert!((1..500).contains(&reported), "{reported}");
}

#[test]
fn what_is_not_for_the_program_is_handed_over() {
    let Some(mut bench) = answering("what_is_not_for_the_program_is_handed_over") else { return };
    for family in FAMILIES {
        // TLVs are the controller's business.
        bench.expect(&request(family, 4).octets(), Counter::Taken);
        let mut other_domain = request(family, 0);
        other_domain.payload[4] ^= 1;
        bench.expect(&other_domain.octets(), Counter::WrongDomain);
        let mut other_sdo = request(family, 0);
        other_sdo.payload[0] ^= 0x20;
        bench.expect(&other_sdo.octets(), Counter::WrongDomain);
    }
    bench.serve(&Serving { answers: 0, ..serving() }, ATTENDED);
    bench.expect(&request(FAMILIES[0], 0).octets(), Counter::Taken);
    // The program of this bench has no NIC's stamps, and gives no other for one.
    bench.serve(&serving(), ATTENDED);
    let address = FAMILIES[0][2].parse().unwrap();
    bench.plane.grant(address, IDENTITY, Grant { nic_stamp: true, ..DELAY_RESP }).unwrap();
    bench.expect(&request(FAMILIES[0], 0).octets(), Counter::NoStamp);
}

#[test]
fn answers_outlive_the_controller_as_long_as_they_may() {
    let Some(mut bench) = answering("answers_outlive_the_controller_as_long_as_they_may") else { return };
    let frame = request(FAMILIES[0], 0).octets();
    let monotonic = now(ClockId::CLOCK_MONOTONIC);
    bench.plane.heartbeat(monotonic - 2 * HEARTBEAT_TIMEOUT_NS).unwrap();
    bench.expect(&frame, Counter::NoController);
    bench.serve(&serving(), monotonic + 60 * SECOND);
    assert_eq!(bench.run_out(&frame, 1).0, XDP_TX);
    // What only a controller can do is left to the stack, and nobody is reported to it.
    bench.expect(&request(FAMILIES[0], 4).octets(), Counter::NoController);
    bench.expect(&bench.sync(FAMILIES[0]).octets(), Counter::NoController);
    let mut stranger = request(FAMILIES[0], 0);
    stranger.source = "10.9.9.9".parse().unwrap();
    bench.expect(&stranger.octets(), Counter::UnknownClient);
}
