//! Ethernet II header. Offsets are in octets from the start of the frame.

/// Destination and source address, EtherType.
pub const LENGTH: usize = 14;
/// Two octets, big endian.
pub const ETHERTYPE: usize = 12;

/// EtherType of IPv4.
pub const TYPE_IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const TYPE_IPV6: u16 = 0x86dd;
