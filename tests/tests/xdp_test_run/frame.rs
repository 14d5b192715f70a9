//! Frames to feed the program with: right in every field until a test spoils one.

use ptp_common::net::checksum::{Sum, compute_udp};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) const SYNC: u8 = 0;
pub(crate) const DELAY_REQ: u8 = 1;

/// A frame as a sender would describe it.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// EtherType and tag control information of each tag, outermost first.
    pub(crate) tags: Vec<(u16, u16)>,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) payload: Vec<u8>,
    /// What comes after the IP packet: Ethernet padding.
    pub(crate) trailer: usize,
}

impl Frame {
    pub(crate) fn new(source: &str, destination: &str, payload: Vec<u8>) -> Self {
        Self {
            tags: Vec::new(),
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            source_port: 40_000,
            destination_port: 319,
            payload,
            trailer: 0,
        }
    }

    /// Octets before the IP header.
    pub(crate) fn ip_offset(&self) -> usize {
        14 + 4 * self.tags.len()
    }

    /// Octets before the UDP header.
    pub(crate) fn udp_offset(&self) -> usize {
        self.ip_offset() + if self.source.is_ipv4() { 20 } else { 40 }
    }

    pub(crate) fn octets(&self) -> Vec<u8> {
        let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2];
        for (ethertype, tci) in &self.tags {
            frame.extend(ethertype.to_be_bytes());
            frame.extend(tci.to_be_bytes());
        }
        let udp_length = 8 + self.payload.len() as u16;
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                frame.extend([0x08, 0x00]);
                frame.extend(ipv4_header(source, destination, udp_length));
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                frame.extend([0x86, 0xdd]);
                frame.extend(ipv6_header(source, destination, udp_length));
            }
            _ => panic!("addresses of two families"),
        }
        for word in [self.source_port, self.destination_port, udp_length, self.udp_checksum()] {
            frame.extend(word.to_be_bytes());
        }
        frame.extend(&self.payload);
        frame.extend(vec![0xee; self.trailer]);
        frame
    }

    pub(crate) fn udp_checksum(&self) -> u16 {
        let ports = [self.source_port, self.destination_port];
        let length = 8 + self.payload.len() as u16;
        compute_udp(&mapped(self.source), &mapped(self.destination), ports, length, &self.payload)
    }
}

/// The form that addresses have in maps and records.
pub(crate) fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// Writes the checksum of the 20 octets of an IPv4 header into it.
pub(crate) fn seal_ipv4(header: &mut [u8]) {
    header[10..12].fill(0);
    let checksum = Sum::of(&header[..20]).checksum();
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
}

/// A Sync or Delay_Req of 44 octets, followed by `suffix` octets that messageLength counts.
pub(crate) fn message(message_type: u8, port_identity: [u8; 10], suffix: usize) -> Vec<u8> {
    let mut octets = vec![0; 44];
    octets[0] = message_type;
    octets[1] = 2;
    octets[2..4].copy_from_slice(&(44 + suffix as u16).to_be_bytes());
    octets[20..30].copy_from_slice(&port_identity);
    octets[30..32].copy_from_slice(&0x1234_u16.to_be_bytes());
    octets.extend((0..suffix).map(|index| index as u8));
    octets
}

fn ipv4_header(source: Ipv4Addr, destination: Ipv4Addr, udp_length: u16) -> [u8; 20] {
    let mut header = [0; 20];
    header[0] = 0x45;
    header[1] = 56 << 2;
    header[2..4].copy_from_slice(&(20 + udp_length).to_be_bytes());
    header[6] = 0x40;
    header[8] = 64;
    header[9] = 17;
    header[12..16].copy_from_slice(&source.octets());
    header[16..20].copy_from_slice(&destination.octets());
    seal_ipv4(&mut header);
    header
}

fn ipv6_header(source: Ipv6Addr, destination: Ipv6Addr, udp_length: u16) -> [u8; 40] {
    let mut header = [0; 40];
    header[0] = 0x60;
    header[4..6].copy_from_slice(&udp_length.to_be_bytes());
    header[6] = 17;
    header[7] = 64;
    header[8..24].copy_from_slice(&source.octets());
    header[24..40].copy_from_slice(&destination.octets());
    header
}
