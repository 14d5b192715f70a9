use super::*;
use ptp_common::abi::EventRecord;
use ptp_common::net::checksum::{compute_udp, pseudo_header};

const SOURCE: &str = "10.0.1.2";
const DESTINATION: &str = "10.0.2.1";

struct Sample {
    source: [u8; 16],
    destination: [u8; 16],
    checksum: u16,
    payload: [u8; 44],
    payload_length: u16,
    stamp_source: u8,
}

impl Sample {
    fn new(source: &str, destination: &str) -> Self {
        let (source, destination) = (octets(source.parse().unwrap()), octets(destination.parse().unwrap()));
        let payload = [0x5a; 44];
        let checksum = compute_udp(&source, &destination, [40000, 319], 52, &payload);
        Self { source, destination, checksum, payload, payload_length: 44, stamp_source: STAMP_XDP_SOFTWARE }
    }

    fn octets(&self) -> Vec<u8> {
        let mut record = vec![0; size_of::<EventRecord>()];
        let mut put =
            |offset: usize, value: &[u8]| record[offset..offset + value.len()].copy_from_slice(value);
        put(offset_of!(EventRecord, stamp_ns), &1_700_000_000_123_456_789_u64.to_ne_bytes());
        put(offset_of!(EventRecord, ifindex), &7_u32.to_ne_bytes());
        put(offset_of!(EventRecord, stamp_source), &[self.stamp_source]);
        put(offset_of!(EventRecord, vlan_tci), &0xe00a_u16.to_ne_bytes());
        put(offset_of!(EventRecord, source_port), &40000_u16.to_ne_bytes());
        put(offset_of!(EventRecord, destination_port), &319_u16.to_ne_bytes());
        put(offset_of!(EventRecord, udp_length), &52_u16.to_ne_bytes());
        put(offset_of!(EventRecord, udp_checksum), &self.checksum.to_ne_bytes());
        put(offset_of!(EventRecord, payload_length), &self.payload_length.to_ne_bytes());
        put(offset_of!(EventRecord, source), &self.source);
        put(offset_of!(EventRecord, destination), &self.destination);
        put(offset_of!(EventRecord, payload), &self.payload);
        record
    }
}

#[test]
fn every_field_arrives() {
    for (source, destination) in [(SOURCE, DESTINATION), ("fd00:1::2", "fd00:2::1")] {
        let record = Sample::new(source, destination).octets();
        let mut counters = RecordCounters::default();
        let event = decode(&record, &mut counters).unwrap();
        assert_eq!(event.from, source.parse::<IpAddr>().unwrap());
        assert_eq!(event.to, destination.parse::<IpAddr>().unwrap());
        assert_eq!((event.source_port, event.ifindex, event.vlan_tci), (40000, 7, 0xe00a));
        let stamp = RawStamp { nanos: 1_700_000_000_123_456_789, source: StampSource::XdpSw };
        assert_eq!(event.stamp, Some(stamp));
        assert_eq!(event.bytes, [0x5a; 44]);
        assert_eq!(counters, RecordCounters { checksum_right: 1, ..Default::default() });
    }
}

#[test]
fn checksums_decide() {
    let sample = Sample::new(SOURCE, DESTINATION);
    let pseudo = pseudo_header(&sample.source, &sample.destination, 52).folded();
    let mut counters = RecordCounters::default();
    for (checksum, accepted) in [(sample.checksum, true), (0, true), (pseudo, true), (pseudo ^ 1, false)] {
        let record = Sample { checksum, ..Sample::new(SOURCE, DESTINATION) }.octets();
        assert_eq!(decode(&record, &mut counters).is_some(), accepted, "{checksum:04x}");
    }
    let expected = RecordCounters {
        checksum_right: 1,
        checksum_zero: 1,
        checksum_pseudo_header: 1,
        checksum_wrong: 1,
        ..Default::default()
    };
    assert_eq!(counters, expected);
}

#[test]
fn nonsense_is_counted_and_dropped() {
    let mut counters = RecordCounters::default();
    let sample = || Sample::new(SOURCE, DESTINATION);
    let bad_length = Sample { payload_length: 45, ..sample() }.octets();
    let bad_source = Sample { stamp_source: 9, ..sample() }.octets();
    let short = sample().octets()[..319].to_vec();
    for record in [&bad_length[..], &bad_source, &short, &[]] {
        assert_eq!(decode(record, &mut counters), None);
    }
    assert_eq!(counters, RecordCounters { malformed: 4, ..Default::default() });
}

#[test]
fn a_lost_stamp_is_counted_and_never_replaced() {
    let mut counters = RecordCounters::default();
    for (source, expected) in [(STAMP_NONE, None), (STAMP_XDP_HARDWARE, Some(StampSource::XdpHw))] {
        let record = Sample { stamp_source: source, ..Sample::new(SOURCE, DESTINATION) }.octets();
        let event = decode(&record, &mut counters).unwrap();
        assert_eq!(event.stamp.map(|stamp| stamp.source), expected);
    }
    assert_eq!(counters, RecordCounters { checksum_right: 2, stamp_lost: 1, ..Default::default() });
}
