//! IPv6 header (RFC 8200). Offsets are in octets from the start of the header.

/// The fixed header.
pub const LENGTH: usize = 40;
/// Version in the high four bits.
pub const VERSION: usize = 0;
/// Octets that follow this header: two octets, big endian.
pub const PAYLOAD_LENGTH: usize = 4;
/// What follows this header: one octet.
pub const NEXT_HEADER: usize = 6;
/// Sixteen octets.
pub const SOURCE: usize = 8;
/// Sixteen octets.
pub const DESTINATION: usize = 24;

/// Next header: fragment.
pub const FRAGMENT: u8 = 44;
/// Next header: those extension headers, the fragment header apart, behind which a UDP header can be found.
pub const EXTENSIONS: [u8; 7] = [
    0,   // hop-by-hop options
    43,  // routing
    51,  // authentication
    60,  // destination options
    135, // mobility
    139, // host identity
    140, // shim6
];

/// Is this an IPv4-mapped address? It has no place on the wire: the stack discards such packets.
#[inline(always)]
pub const fn is_mapped(address: &[u8; 16]) -> bool {
    matches!(address, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, _, _, _, _])
}
