//! The Internet checksum (RFC 1071), and what UDP makes of it.

#[cfg(test)]
mod tests;

use super::{ipv6, udp};

/// A ones' complement sum of 16-bit words that is still being added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u32);

impl Sum {
    /// The sum of `octets` as big-endian words, an odd last one filled up with zero.
    #[inline(always)]
    pub fn of(octets: &[u8]) -> Self {
        Self(0).and(octets)
    }

    /// This sum and that of more octets. All but the last that are added must be even in number.
    #[inline(always)]
    pub fn and(self, octets: &[u8]) -> Self {
        let mut sum = self;
        let mut words = octets.chunks_exact(2);
        for word in &mut words {
            sum = sum.and_word(u16::from_be_bytes([word[0], word[1]]));
        }
        match words.remainder() {
            [last] => sum.and_word(u16::from_be_bytes([*last, 0])),
            _ => sum,
        }
    }

    /// This sum and one more word, in host order.
    #[inline(always)]
    pub const fn and_word(self, word: u16) -> Self {
        let sum = self.0 + word as u32;
        // The carry is added at once: the sum stays below 2^16 and cannot overflow, however long the octets.
        Self((sum & 0xffff) + (sum >> 16))
    }

    /// The sum in 16 bits. A header that carries its right checksum sums up to `0xffff`.
    #[inline(always)]
    pub const fn folded(self) -> u16 {
        self.0 as u16
    }

    /// The checksum field that makes it so.
    #[inline(always)]
    pub const fn checksum(self) -> u16 {
        !self.folded()
    }
}

/// The same sum in the machine's own byte order (RFC 1071, 2 (B)) and in wide words, folded only at the end: for the XDP
/// program, where every instruction counts. Up to 2^32 words may be added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WordSum(u64);

impl WordSum {
    /// A sum as [`WordSum::raw`] gave it.
    #[inline(always)]
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw as u64)
    }

    /// This sum, in less than 2^17.
    #[inline(always)]
    pub const fn raw(self) -> u32 {
        let sum = (self.0 & 0xffff_ffff) + (self.0 >> 32);
        let sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
        ((sum & 0xffff) + (sum >> 16)) as u32
    }

    /// The sum of `octets`, even in number, beginning at an even one.
    #[inline(always)]
    pub fn of<const N: usize>(octets: &[u8; N]) -> Self {
        const { assert!(N.is_multiple_of(2), "only whole words") };
        let mut sum = 0;
        let mut at = 0;
        while at + 4 <= N {
            let word = [octets[at], octets[at + 1], octets[at + 2], octets[at + 3]];
            sum += u64::from(u32::from_ne_bytes(word));
            at += 4;
        }
        if at < N {
            sum += u64::from(u16::from_ne_bytes([octets[at], octets[at + 1]]));
        }
        Self(sum)
    }

    /// This sum and that of eight octets, taken for a word of the machine's.
    #[inline(always)]
    pub const fn and_u64(self, word: u64) -> Self {
        Self(self.0 + (word & 0xffff_ffff) + (word >> 32))
    }

    /// This sum and that of four octets, taken for a word of the machine's.
    #[inline(always)]
    pub const fn and_u32(self, word: u32) -> Self {
        Self(self.0 + word as u64)
    }

    /// Both sums.
    #[inline(always)]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// This sum and one more word, in host order.
    #[inline(always)]
    pub const fn and_word(self, word: u16) -> Self {
        Self(self.0 + word.to_be() as u64)
    }

    /// Is it all ones, or nothing at all? That of octets that carry their right checksum is.
    #[inline(always)]
    pub const fn is_intact(self) -> bool {
        matches!(self.folded(), 0xffff | 0)
    }

    /// The checksum field's octets that make it so.
    #[inline(always)]
    pub const fn checksum(self) -> [u8; 2] {
        (!self.folded()).to_ne_bytes()
    }

    /// The same for UDP, where zero would say that there is none.
    #[inline(always)]
    pub const fn udp_checksum(self) -> [u8; 2] {
        match !self.folded() {
            0 => [0xff; 2],
            checksum => checksum.to_ne_bytes(),
        }
    }

    /// In 16 bits of the machine's byte order.
    #[inline(always)]
    pub const fn folded(self) -> u16 {
        let sum = self.raw();
        ((sum & 0xffff) + (sum >> 16)) as u16
    }
}

/// The sum of UDP's pseudo-header (RFC 768; RFC 8200, 8.1), addresses in their IPv6 form.
///
/// IPv4-mapped addresses are summed up as the IPv4 addresses that they stand for.
pub fn pseudo_header(source: &[u8; 16], destination: &[u8; 16], udp_length: u16) -> Sum {
    let address = |address: &[u8; 16]| {
        let sum = Sum::of(address);
        if !ipv6::is_mapped(address) {
            return sum;
        }
        let [.., a, b, c, d] = *address;
        Sum::of(&[a, b, c, d])
    };
    address(source)
        .and_word(address(destination).folded())
        .and_word(udp_length)
        .and_word(u16::from(udp::PROTOCOL))
}

/// What a received UDP checksum field is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdpChecksum {
    /// It is that of the datagram.
    Right,
    /// There is none: legal with IPv4 only.
    Zero,
    /// It is only the sum of the pseudo-header: the sender left the rest to its NIC, and there was none, as on veth.
    PseudoHeaderOnly,
    /// The datagram is damaged.
    Wrong,
}

/// Judges the checksum field of a datagram. `udp_length` is the header's field, `payload` all that it counts.
pub fn judge_udp(
    source: &[u8; 16],
    destination: &[u8; 16],
    ports: [u16; 2],
    udp_length: u16,
    checksum: u16,
    payload: &[u8],
) -> UdpChecksum {
    if checksum == 0 {
        return if ipv6::is_mapped(source) { UdpChecksum::Zero } else { UdpChecksum::Wrong };
    }
    let pseudo = pseudo_header(source, destination, udp_length);
    // A computed checksum of zero goes out as all ones, and both are zero in this arithmetic: the sum covers it.
    let whole =
        pseudo.and_word(ports[0]).and_word(ports[1]).and_word(udp_length).and_word(checksum).and(payload);
    if whole.folded() == 0xffff {
        UdpChecksum::Right
    } else if checksum == pseudo.folded() {
        UdpChecksum::PseudoHeaderOnly
    } else {
        UdpChecksum::Wrong
    }
}

/// The checksum field of a datagram to send; never zero, which would say that there is none.
pub fn compute_udp(
    source: &[u8; 16],
    destination: &[u8; 16],
    ports: [u16; 2],
    udp_length: u16,
    payload: &[u8],
) -> u16 {
    let sum = pseudo_header(source, destination, udp_length)
        .and_word(ports[0])
        .and_word(ports[1])
        .and_word(udp_length)
        .and(payload);
    match sum.checksum() {
        0 => 0xffff,
        checksum => checksum,
    }
}
