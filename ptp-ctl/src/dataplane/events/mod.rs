//! Records of the ring buffer: decoded, and their UDP checksum judged.

#[cfg(test)]
mod tests;

use super::counters::RecordCounters;
use ptp_common::abi::{EventRecord, MAX_PAYLOAD, STAMP_NONE, STAMP_XDP_HARDWARE, STAMP_XDP_SOFTWARE};
use ptp_common::net::checksum::{UdpChecksum, judge_udp};
use ptp_common::net::udp;
use ptp_common::time::{RawStamp, StampSource};
use std::mem::offset_of;
use std::net::{IpAddr, Ipv6Addr};

/// One PTP event message that the XDP program took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedEvent<'a> {
    /// Where it came from.
    pub from: IpAddr,
    /// UDP source port.
    pub source_port: u16,
    /// Which of our addresses it was sent to.
    pub to: IpAddr,
    /// Index of the interface.
    pub ifindex: u32,
    /// VLAN tag control information, 0 without a tag in the frame.
    pub vlan_tci: u16,
    /// RX time; `None` where the NIC gave none.
    pub stamp: Option<RawStamp>,
    /// UDP payload: the PTP message and whatever follows it.
    pub bytes: &'a [u8],
}

/// The event in a record of the ring; `None`, counted, for one that is not to be used.
pub(super) fn decode<'a>(record: &'a [u8], counters: &mut RecordCounters) -> Option<ReceivedEvent<'a>> {
    let Some((event, checksum)) = parse(record) else {
        counters.malformed += 1;
        return None;
    };
    let counter = match checksum {
        UdpChecksum::Right => &mut counters.checksum_right,
        UdpChecksum::Zero => &mut counters.checksum_zero,
        UdpChecksum::PseudoHeaderOnly => &mut counters.checksum_pseudo_header,
        UdpChecksum::Wrong => {
            counters.checksum_wrong += 1;
            return None;
        }
    };
    *counter += 1;
    counters.stamp_lost += u64::from(event.stamp.is_none());
    Some(event)
}

fn parse(record: &[u8]) -> Option<(ReceivedEvent<'_>, UdpChecksum)> {
    // The kernel rounds nothing up: a record has exactly the size that the program reserved.
    let record: &[u8; size_of::<EventRecord>()] = record.try_into().ok()?;
    let source = field(record, offset_of!(EventRecord, source))?;
    let destination = field(record, offset_of!(EventRecord, destination))?;
    let u16_at = |offset| field(record, offset).map(u16::from_ne_bytes);
    let ports =
        [u16_at(offset_of!(EventRecord, source_port))?, u16_at(offset_of!(EventRecord, destination_port))?];
    let udp_length = u16_at(offset_of!(EventRecord, udp_length))?;
    let length = usize::from(u16_at(offset_of!(EventRecord, payload_length))?);
    if length > MAX_PAYLOAD || usize::from(udp_length) != length + udp::LENGTH {
        return None;
    }
    let bytes = record[offset_of!(EventRecord, payload)..].get(..length)?;
    let nanos = u64::from_ne_bytes(field(record, offset_of!(EventRecord, stamp_ns))?);
    let stamp = match record[offset_of!(EventRecord, stamp_source)] {
        STAMP_NONE => None,
        STAMP_XDP_SOFTWARE => Some(RawStamp { nanos, source: StampSource::XdpSw }),
        STAMP_XDP_HARDWARE => Some(RawStamp { nanos, source: StampSource::XdpHw }),
        _ => return None,
    };
    let checksum = u16_at(offset_of!(EventRecord, udp_checksum))?;
    let event = ReceivedEvent {
        from: address(source),
        source_port: ports[0],
        to: address(destination),
        ifindex: u32::from_ne_bytes(field(record, offset_of!(EventRecord, ifindex))?),
        vlan_tci: u16_at(offset_of!(EventRecord, vlan_tci))?,
        stamp,
        bytes,
    };
    Some((event, judge_udp(&source, &destination, ports, udp_length, checksum, bytes)))
}

fn field<const N: usize>(record: &[u8], offset: usize) -> Option<[u8; N]> {
    record.get(offset..)?.first_chunk().copied()
}

/// IPv4-mapped addresses are IPv4 addresses again.
pub(super) fn address(octets: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(octets).to_canonical()
}

/// The form that addresses have in maps and records.
pub(super) fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}
