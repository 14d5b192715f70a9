//! The XDP program's verdicts, by BPF_PROG_TEST_RUN: every way that a frame can go, for both IP versions.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod bench;
mod delay_resp;
mod frame;

use bench::{Bench, FAMILIES, IDENTITY, XDP_DROP, now};
use frame::{DELAY_REQ, Frame, SYNC, mapped, message, seal_ipv4};
use nix::time::ClockId;
use ptp_common::abi::{Counter, HEARTBEAT_TIMEOUT_NS, MAX_PAYLOAD, RING_SIZE};
use ptp_common::net::checksum::pseudo_header;
use ptp_common::time::{RawStamp, StampSource};
use ptp_ctl::dataplane::{DataPlaneError, ReceivedEvent, RecordCounters};
use std::net::IpAddr;

/// Instructions that the kernel's verifier may walk through: every client waits for it at its start. The kernel's own limit is a
/// million; a program of 427,000 took 280 ms. Ours has 63,000 with Linux 6.18.
const VERIFIED: u32 = 130_000;

#[test]
fn the_verifier_is_done_soon() {
    let Some(mut bench) = Bench::new("the_verifier_is_done_soon") else { return };
    let info = bench.plane.program().unwrap().info().unwrap();
    let verified = info.verified_instruction_count().unwrap();
    assert!((1_000..VERIFIED).contains(&verified), "{verified} instructions");
}

#[test]
fn messages_of_peers_are_taken() {
    let Some(mut bench) = Bench::new("messages_of_peers_are_taken") else { return };
    for family in FAMILIES {
        for mut frame in [bench.sync(family), bench.delay_req(family)] {
            bench.expect(&frame.octets(), Counter::Taken);
            for tag in [0x8100, 0x88a8] {
                frame.tags = vec![(tag, 0xe00a)];
                bench.expect(&frame.octets(), Counter::Taken);
            }
            frame.tags.clear();
            // A short IPv4 frame comes with Ethernet padding.
            frame.trailer = 18;
            bench.expect(&frame.octets(), Counter::Taken);
        }
    }
}

#[test]
fn the_record_is_exact() {
    let Some(mut bench) = Bench::new("the_record_is_exact") else { return };
    for family in FAMILIES {
        for (message_type, tags, suffix, trailer) in [
            (SYNC, vec![], 0, 0),
            (DELAY_REQ, vec![(0x8100, 0xe00a)], 0, 18),
            (DELAY_REQ, vec![], 2, 0),
            (SYNC, vec![(0x88a8, 0x0001)], MAX_PAYLOAD - 44, 0),
        ] {
            let source = if message_type == SYNC { family[0] } else { family[2] };
            let mut frame = Frame::new(source, family[1], message(message_type, IDENTITY, suffix));
            frame.tags = tags;
            frame.trailer = trailer;
            let before = now(ClockId::from_raw(nix::libc::CLOCK_TAI));
            assert_eq!(bench.run(&frame.octets()), (XDP_DROP, Counter::Taken));
            let after = now(ClockId::from_raw(nix::libc::CLOCK_TAI));
            let mut records = 0;
            let read = bench.plane.drain(usize::MAX, |event| {
                records += 1;
                let RawStamp { nanos, source } = event.stamp.unwrap();
                assert!((before..=after).contains(&nanos), "{before} {nanos} {after}");
                assert_eq!(source, StampSource::XdpSw);
                let expected = ReceivedEvent {
                    from: frame.source,
                    source_port: 40_000,
                    to: frame.destination,
                    // BPF_PROG_TEST_RUN has the loopback's receive queue.
                    ifindex: 1,
                    vlan_tci: frame.tags.first().map_or(0, |(_, tci)| *tci),
                    stamp: event.stamp,
                    bytes: &frame.payload,
                };
                assert_eq!(event, expected);
            });
            assert_eq!((read, records), (1, 1));
        }
    }
}

#[test]
fn udp_checksums_decide_in_userspace() {
    let Some(mut bench) = Bench::new("udp_checksums_decide_in_userspace") else { return };
    let mut expected = RecordCounters::default();
    for (family, zero_is_legal) in [(FAMILIES[0], true), (FAMILIES[1], false)] {
        let frame = bench.sync(family);
        let checksum_at = frame.udp_offset() + 6;
        let pseudo = pseudo_header(&mapped(frame.source), &mapped(frame.destination), 52).folded();
        for (checksum, accepted) in [
            (frame.udp_checksum(), true),
            (pseudo, true),
            (0, zero_is_legal),
            (frame.udp_checksum() ^ 1, false),
        ] {
            let mut octets = frame.octets();
            octets[checksum_at..checksum_at + 2].copy_from_slice(&checksum.to_be_bytes());
            assert_eq!(bench.run(&octets), (XDP_DROP, Counter::Taken));
            let mut events = 0;
            bench.plane.drain(usize::MAX, |_| events += 1);
            assert_eq!(events, u32::from(accepted), "{family:?} {checksum:04x}");
        }
        expected.checksum_right += 1;
        expected.checksum_pseudo_header += 1;
        expected.checksum_zero += u64::from(zero_is_legal);
        expected.checksum_wrong += 1 + u64::from(!zero_is_legal);
    }
    assert_eq!(bench.plane.record_counters(), expected);
}

#[test]
fn other_traffic_passes() {
    let Some(mut bench) = Bench::new("other_traffic_passes") else { return };
    for family in FAMILIES {
        let mut frame = bench.sync(family);
        for port in [53, 320] {
            frame.destination_port = port;
            bench.expect(&frame.octets(), Counter::NotPtpEvent);
        }
        frame.destination_port = 319;
        let next_header = frame.ip_offset() + if frame.source.is_ipv4() { 9 } else { 6 };
        for protocol in [1, 6, 58, 132] {
            let mut octets = frame.octets();
            octets[next_header] = protocol;
            bench.expect(&octets, Counter::NotPtpEvent);
        }
    }
    let mut arp = bench.sync(FAMILIES[0]).octets();
    arp[12..14].copy_from_slice(&0x0806_u16.to_be_bytes());
    bench.expect(&arp, Counter::NotPtpEvent);
}

#[test]
fn options_and_fragments_pass() {
    let Some(mut bench) = Bench::new("options_and_fragments_pass") else { return };
    let good = bench.sync(FAMILIES[0]).octets();
    let mut options = good.clone();
    options[14] = 0x46;
    options.splice(34..34, [1, 1, 1, 0]);
    bench.expect(&options, Counter::IpOptions);
    // More fragments; offset 8; both with "don't fragment", which is no fragment by itself.
    for (field, counter) in [
        (0x2000_u16, Counter::Fragment),
        (0x0001, Counter::Fragment),
        (0x6001, Counter::Fragment),
        (0x0000, Counter::Taken),
    ] {
        let mut octets = good.clone();
        octets[20..22].copy_from_slice(&field.to_be_bytes());
        seal_ipv4(&mut octets[14..34]);
        bench.expect(&octets, counter);
    }
    let good = bench.sync(FAMILIES[1]).octets();
    for (next_header, counter) in
        [(0, Counter::IpOptions), (43, Counter::IpOptions), (60, Counter::IpOptions), (44, Counter::Fragment)]
    {
        let mut octets = good.clone();
        octets[20] = next_header;
        bench.expect(&octets, counter);
    }
}

#[test]
fn stacked_tags_pass() {
    let Some(mut bench) = Bench::new("stacked_tags_pass") else { return };
    for family in FAMILIES {
        for outer in [0x8100, 0x88a8] {
            let mut frame = bench.sync(family);
            frame.tags = vec![(outer, 5), (0x8100, 10)];
            bench.expect(&frame.octets(), Counter::VlanStack);
        }
    }
}

#[test]
fn no_truncated_frame_is_taken() {
    let Some(mut bench) = Bench::new("no_truncated_frame_is_taken") else { return };
    for family in FAMILIES {
        for tags in [vec![], vec![(0x8100, 10)]] {
            let mut frame = bench.delay_req(family);
            frame.tags = tags;
            let octets = frame.octets();
            // The kernel runs nothing shorter than an Ethernet header.
            for length in 14..octets.len() {
                bench.expect(&octets[..length], Counter::Truncated);
            }
        }
    }
}

#[test]
fn contradictions_pass() {
    let Some(mut bench) = Bench::new("contradictions_pass") else { return };
    for family in FAMILIES {
        let frame = bench.sync(family);
        let mut patch = |offset: usize, value: &[u8], counter| {
            let mut octets = frame.octets();
            octets.extend([0; 8]);
            octets[offset..offset + value.len()].copy_from_slice(value);
            if family == FAMILIES[0] {
                seal_ipv4(&mut octets[14..34]);
            }
            bench.expect(&octets, counter);
        };
        // UDP lengths that are not the IP payload's: 52.
        for udp_length in [0_u16, 7, 8, 51, 53, 0xffff] {
            patch(frame.udp_offset() + 4, &udp_length.to_be_bytes(), Counter::Malformed);
        }
        let length_at = frame.ip_offset() + if frame.source.is_ipv4() { 2 } else { 4 };
        let header = if frame.source.is_ipv4() { 20 } else { 0 };
        for length in [header + 51, header + 53] {
            patch(length_at, &(length as u16).to_be_bytes(), Counter::Malformed);
        }
        patch(length_at, &0xffff_u16.to_be_bytes(), Counter::Truncated);
        patch(length_at, &0_u16.to_be_bytes(), Counter::Malformed);
        // The EtherType says one version, the header another.
        patch(14, &[0x55], Counter::Malformed);
    }
    let mut octets = bench.sync(FAMILIES[0]).octets();
    octets[14] = 0x44;
    bench.expect(&octets, Counter::Malformed);
    // An IPv6 packet that passes itself off as one of the IPv4 server.
    let mut impostor = bench.sync(FAMILIES[1]);
    impostor.source = "::ffff:10.0.1.2".parse().unwrap();
    bench.expect(&impostor.octets(), Counter::Malformed);
}

#[test]
fn only_our_own_addresses_count() {
    let Some(mut bench) = Bench::new("only_our_own_addresses_count") else { return };
    for (family, other) in FAMILIES.into_iter().zip(["10.0.2.99", "fd00:2::99"]) {
        let mut frame = bench.sync(family);
        frame.destination = other.parse().unwrap();
        bench.expect(&frame.octets(), Counter::NotLocal);
    }
}

#[test]
fn what_is_no_ptp_message_is_dropped() {
    let Some(mut bench) = Bench::new("what_is_no_ptp_message_is_dropped") else { return };
    for family in FAMILIES {
        let good = bench.sync(family);
        let mut expect = |payload: Vec<u8>, counter| {
            bench.expect(&Frame { payload, ..good.clone() }.octets(), counter);
        };
        for length in 0..34 {
            expect(good.payload[..length].to_vec(), Counter::NotPtp);
        }
        let with = |offset: usize, value: u8| {
            let mut payload = good.payload.clone();
            payload[offset] = value;
            payload
        };
        for version in [0, 1, 3, 0x12 + 1] {
            expect(with(1, version), Counter::NotPtp);
        }
        // messageLength: less than a Sync, more than the datagram.
        for length in [0, 43, 45, 255] {
            expect(with(3, length), Counter::NotPtp);
        }
        // Trailing octets (IPv6 padding), another minor version and another sdoId are no concern of the program.
        expect([&*good.payload, &[0, 0]].concat(), Counter::Taken);
        expect(with(1, 0x12), Counter::Taken);
        expect(with(0, 0x10), Counter::Taken);
    }
}

#[test]
fn other_messages_pass() {
    let Some(mut bench) = Bench::new("other_messages_pass") else { return };
    for family in FAMILIES {
        for message_type in 2..16 {
            let payload = message(message_type, IDENTITY, 0);
            bench.expect(&Frame::new(family[0], family[1], payload).octets(), Counter::OtherMessage);
        }
    }
}

#[test]
fn strangers_are_nobodys_peers() {
    let Some(mut bench) = Bench::new("strangers_are_nobodys_peers") else { return };
    let mut other_port = IDENTITY;
    other_port[9] = 2;
    for (family, stranger) in FAMILIES.into_iter().zip(["10.0.1.99", "fd00:1::99"]) {
        let sync = |source| Frame::new(source, family[1], message(SYNC, IDENTITY, 0)).octets();
        let delay_req =
            |source, identity| Frame::new(source, family[1], message(DELAY_REQ, identity, 0)).octets();
        bench.expect(&sync(stranger), Counter::UnknownServer);
        // Each only in its own part.
        bench.expect(&sync(family[2]), Counter::UnknownServer);
        bench.expect(&delay_req(family[0], IDENTITY), Counter::Reported);
        bench.expect(&delay_req(stranger, IDENTITY), Counter::Reported);
        bench.expect(&delay_req(family[2], other_port), Counter::Reported);
    }
}

#[test]
fn servers_are_replaced_as_a_set() {
    let Some(mut bench) = Bench::new("servers_are_replaced_as_a_set") else { return };
    bench.plane.set_servers(&[FAMILIES[1][0].parse().unwrap()]).unwrap();
    let (first, second) = (bench.sync(FAMILIES[0]).octets(), bench.sync(FAMILIES[1]).octets());
    bench.expect(&first, Counter::UnknownServer);
    bench.expect(&second, Counter::Taken);
    bench.plane.set_servers(&[]).unwrap();
    bench.expect(&second, Counter::UnknownServer);
    let many: Vec<IpAddr> = (0..300_u32).map(|n| IpAddr::V4((0x0a00_0000 + n).into())).collect();
    assert!(matches!(bench.plane.set_servers(&many), Err(DataPlaneError::Full { .. })));
}

#[test]
fn without_a_controller_all_pass() {
    let Some(mut bench) = Bench::new("without_a_controller_all_pass") else { return };
    for family in FAMILIES {
        let frames = [bench.sync(family).octets(), Frame::new(family[0], family[1], vec![0; 10]).octets()];
        for frame in &frames {
            // The program's clock may be a tick behind.
            for last in [0, now(ClockId::CLOCK_MONOTONIC) - HEARTBEAT_TIMEOUT_NS - 10_000_000] {
                bench.plane.heartbeat(last).unwrap();
                bench.expect(frame, Counter::NoController);
            }
        }
        bench.plane.heartbeat(now(ClockId::CLOCK_MONOTONIC) - HEARTBEAT_TIMEOUT_NS + 500_000_000).unwrap();
        bench.expect(&frames[0], Counter::Taken);
    }
}

#[test]
fn long_messages_pass() {
    let Some(mut bench) = Bench::new("long_messages_pass") else { return };
    for family in FAMILIES {
        for (length, counter) in [
            (MAX_PAYLOAD - 1, Counter::Taken),
            (MAX_PAYLOAD, Counter::Taken),
            (MAX_PAYLOAD + 1, Counter::Oversize),
            (1200, Counter::Oversize),
        ] {
            let payload = message(SYNC, IDENTITY, length - 44);
            bench.expect(&Frame::new(family[0], family[1], payload).octets(), counter);
        }
    }
}

#[test]
fn a_wrong_ip_checksum_costs_the_frame() {
    let Some(mut bench) = Bench::new("a_wrong_ip_checksum_costs_the_frame") else { return };
    for frame in [bench.sync(FAMILIES[0]), bench.delay_req(FAMILIES[0])] {
        // Identification, time to live, the checksum itself.
        for offset in [18, 22, 24, 25] {
            let mut octets = frame.octets();
            octets[offset] ^= 1;
            bench.expect(&octets, Counter::BadIpChecksum);
        }
    }
}

#[test]
fn a_full_ring_drops_and_recovers() {
    let Some(mut bench) = Bench::new("a_full_ring_drops_and_recovers") else { return };
    let octets = bench.sync(FAMILIES[0]).octets();
    // A record and its header: 328 octets. One place stays empty, so that full and empty differ.
    let capacity = (RING_SIZE - 1) / 328;
    let sent = capacity + 100;
    assert_eq!(bench.run_many(&octets, sent), XDP_DROP);
    let (taken, full) = (bench.counter(Counter::Taken), bench.counter(Counter::RingFull));
    assert_eq!((taken, full), (u64::from(capacity), 100));
    let mut events = 0;
    bench.plane.drain(usize::MAX, |_| events += 1);
    assert_eq!(events, taken);
    bench.expect(&octets, Counter::Taken);
}
