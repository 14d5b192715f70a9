//! IP and UDP headers of what this program sends, checksums included.

use crate::octets::{Address, write};
use ptp_common::net::checksum::WordSum;
use ptp_common::net::{ipv4, ipv6, udp};

/// Hops of everything that is sent: what the kernel gives its own packets.
const HOP_LIMIT: u8 = 64;
/// Flags of an IPv4 packet.
const DONT_FRAGMENT: u8 = 0x40;
/// Where in an IPv4 header.
const HEADER_CHECKSUM: usize = 10;
const NANOS_PER_SEC: u64 = 1_000_000_000;

/// A datagram whose payload is known by its sum.
pub(crate) struct Datagram {
    /// Ours.
    pub(crate) source: Address,
    /// The client's.
    pub(crate) destination: Address,
    pub(crate) traffic_class: u8,
    /// Of source and destination.
    pub(crate) port: u16,
    pub(crate) payload_length: u16,
    pub(crate) payload_sum: WordSum,
}

impl Datagram {
    /// Writes both headers to `packet`, which begins with the IPv4 header.
    #[inline(always)]
    pub(crate) fn put_ipv4<const N: usize>(&self, packet: &mut [u8; N]) {
        let total_length = ipv4::LENGTH as u16 + udp::LENGTH as u16 + self.payload_length;
        let [length_high, length_low] = total_length.to_be_bytes();
        let start = [
            u32::from_ne_bytes([ipv4::PLAIN_VERSION_IHL, self.traffic_class, length_high, length_low]),
            u32::from_ne_bytes([0, 0, DONT_FRAGMENT, 0]),
            u32::from_ne_bytes([HOP_LIMIT, udp::PROTOCOL, 0, 0]),
        ];
        let addresses = self.source.sum(true).and(self.destination.sum(true));
        let checksum = start.into_iter().fold(addresses, WordSum::and_u32).checksum();
        write(packet, 0, start[0]);
        write(packet, 4, start[1]);
        write(packet, 8, start[2]);
        write(packet, HEADER_CHECKSUM, u16::from_ne_bytes(checksum));
        write(packet, ipv4::SOURCE, self.source.ipv4());
        write(packet, ipv4::DESTINATION, self.destination.ipv4());
        self.put_udp(packet, ipv4::LENGTH, addresses);
    }

    /// Writes both headers to `packet`, which begins with the IPv6 header.
    #[inline(always)]
    pub(crate) fn put_ipv6<const N: usize>(&self, packet: &mut [u8; N]) {
        let [length_high, length_low] = (udp::LENGTH as u16 + self.payload_length).to_be_bytes();
        let class = self.traffic_class;
        write(packet, 0, u32::from_ne_bytes([6 << 4 | class >> 4, class << 4, 0, 0]));
        write(packet, 4, u32::from_ne_bytes([length_high, length_low, udp::PROTOCOL, HOP_LIMIT]));
        write(packet, ipv6::SOURCE, self.source.0[0]);
        write(packet, ipv6::SOURCE + 8, self.source.0[1]);
        write(packet, ipv6::DESTINATION, self.destination.0[0]);
        write(packet, ipv6::DESTINATION + 8, self.destination.0[1]);
        let addresses = self.source.sum(false).and(self.destination.sum(false));
        self.put_udp(packet, ipv6::LENGTH, addresses);
    }

    #[inline(always)]
    fn put_udp<const N: usize>(&self, packet: &mut [u8; N], offset: usize, addresses: WordSum) {
        let length = udp::LENGTH as u16 + self.payload_length;
        // The length counts twice: in the pseudo-header and in the header.
        let sum = addresses
            .and(self.payload_sum)
            .and_word(udp::PROTOCOL.into())
            .and_word(length)
            .and_word(length)
            .and_word(self.port)
            .and_word(self.port);
        write(packet, offset + udp::SOURCE_PORT, self.port.to_be());
        write(packet, offset + udp::DESTINATION_PORT, self.port.to_be());
        write(packet, offset + udp::UDP_LENGTH, length.to_be());
        write(packet, offset + udp::CHECKSUM, u16::from_ne_bytes(sum.udp_checksum()));
    }
}

/// A Timestamp on the wire (IEEE 1588-2019, 5.3.3).
#[derive(Clone, Copy)]
pub(crate) struct Stamp {
    /// The high 16 bits and the low 32 of the seconds, in the octets of the wire.
    seconds: (u16, u32),
    nanoseconds: u32,
}

impl Stamp {
    /// Of ns since the epoch.
    #[inline(always)]
    pub(crate) fn of(nanos: u64) -> Self {
        let seconds = nanos / NANOS_PER_SEC;
        let nanoseconds = (nanos - seconds * NANOS_PER_SEC) as u32;
        Self {
            seconds: (((seconds >> 32) as u16).to_be(), (seconds as u32).to_be()),
            nanoseconds: nanoseconds.to_be(),
        }
    }

    #[inline(always)]
    pub(crate) fn put<const N: usize>(self, message: &mut [u8; N], offset: usize) {
        write(message, offset, self.seconds.0);
        write(message, offset + 2, self.seconds.1);
        write(message, offset + 6, self.nanoseconds);
    }

    #[inline(always)]
    pub(crate) fn sum(self) -> WordSum {
        WordSum::from_raw(self.seconds.0.into()).and_u32(self.seconds.1).and_u32(self.nanoseconds)
    }
}
