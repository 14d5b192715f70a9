//! UDP header (RFC 768). Offsets are in octets from the start of the header.

/// The header.
pub const LENGTH: usize = 8;
/// Two octets, big endian.
pub const SOURCE_PORT: usize = 0;
/// Two octets, big endian.
pub const DESTINATION_PORT: usize = 2;
/// Header and payload, in octets: two octets, big endian.
pub const UDP_LENGTH: usize = 4;
/// Two octets, big endian.
pub const CHECKSUM: usize = 6;

/// IP protocol number, and IPv6 next header.
pub const PROTOCOL: u8 = 17;
