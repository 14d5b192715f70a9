//! IPv4 header (RFC 791). Offsets are in octets from the start of the header.

/// The header without options.
pub const LENGTH: usize = 20;
/// Version in the high four bits, header length in units of four octets in the low four.
pub const VERSION_IHL: usize = 0;
/// Octets from the start of this header to the end of the packet: two octets, big endian.
pub const TOTAL_LENGTH: usize = 2;
/// Flags and fragment offset: two octets, big endian.
pub const FRAGMENT: usize = 6;
/// What follows the header: one octet.
pub const PROTOCOL: usize = 9;
/// Four octets.
pub const SOURCE: usize = 12;
/// Four octets.
pub const DESTINATION: usize = 16;

/// [`VERSION_IHL`] of a header without options.
pub const PLAIN_VERSION_IHL: u8 = 0x45;
/// Of the field at [`FRAGMENT`]: "more fragments" and the offset; both are zero in a whole packet.
pub const FRAGMENT_MASK: u16 = 0x3fff;

/// The IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2): the form that addresses have in maps and records.
#[inline(always)]
pub const fn mapped(address: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = address;
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}
