//! Parts of byte arrays, at places that are constants at every call, and what addresses and identities are as words: the
//! compiler would handle their octets one by one.

use ptp_common::net::checksum::WordSum;

/// Two octets, big endian.
#[inline(always)]
pub(crate) fn be16<const N: usize>(octets: &[u8; N], offset: usize) -> u16 {
    u16::from_be(read(octets, offset))
}

/// An integer in the machine's byte order.
#[inline(always)]
pub(crate) fn read<T: Integer, const N: usize>(octets: &[u8; N], offset: usize) -> T {
    assert!(offset + size_of::<T>() <= N, "within the array");
    // SAFETY: the octets are there (checked above, when this is compiled), and every pattern is an integer.
    unsafe { octets.as_ptr().add(offset).cast::<T>().read_unaligned() }
}

/// Writes an integer in the machine's byte order.
#[inline(always)]
pub(crate) fn write<T: Integer, const N: usize>(octets: &mut [u8; N], offset: usize, value: T) {
    assert!(offset + size_of::<T>() <= N, "within the array");
    // SAFETY: the place is there (checked above, when this is compiled).
    unsafe { octets.as_mut_ptr().add(offset).cast::<T>().write_unaligned(value) }
}

/// Writes `part` from `offset` on, by words: the compiler would copy octets.
#[inline(always)]
pub(crate) fn put<const N: usize, const M: usize>(octets: &mut [u8; N], offset: usize, part: &[u8; M]) {
    let mut at = 0;
    while at + 8 <= M {
        write(octets, offset + at, read::<u64, M>(part, at));
        at += 8;
    }
    if at + 4 <= M {
        write(octets, offset + at, read::<u32, M>(part, at));
        at += 4;
    }
    if at + 2 <= M {
        write(octets, offset + at, read::<u16, M>(part, at));
        at += 2;
    }
    if at < M {
        octets[offset + at] = part[at];
    }
}

/// What can be read and written so.
pub(crate) trait Integer: Copy {}
impl Integer for u16 {}
impl Integer for u32 {}
impl Integer for u64 {}

/// An IPv6 or IPv4-mapped address, its octets taken for words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) [u64; 2]);

const MAPPED: u64 = u64::from_ne_bytes([0, 0, 0xff, 0xff, 0, 0, 0, 0]);
const MAPPED_MASK: u64 = u64::from_ne_bytes([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
/// Where the IPv4 address is in the second word.
const IPV4_SHIFT: u32 = if cfg!(target_endian = "little") { 32 } else { 0 };

impl Address {
    #[inline(always)]
    pub(crate) fn ipv6<const N: usize>(octets: &[u8; N], offset: usize) -> Self {
        Self([read(octets, offset), read(octets, offset + 8)])
    }

    #[inline(always)]
    pub(crate) fn mapped(ipv4: u32) -> Self {
        Self([0, MAPPED | u64::from(ipv4) << IPV4_SHIFT])
    }

    #[inline(always)]
    pub(crate) fn is_unspecified(self) -> bool {
        self.0[0] | self.0[1] == 0
    }

    #[inline(always)]
    pub(crate) fn is_mapped(self) -> bool {
        self.0[0] == 0 && self.0[1] & MAPPED_MASK == MAPPED
    }

    /// The IPv4 address of a mapped one.
    #[inline(always)]
    pub(crate) fn ipv4(self) -> u32 {
        (self.0[1] >> IPV4_SHIFT) as u32
    }

    #[inline(always)]
    pub(crate) fn octets(self) -> [u8; 16] {
        let [a, b, c, d, e, f, g, h] = self.0[0].to_ne_bytes();
        let [i, j, k, l, m, n, o, p] = self.0[1].to_ne_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }

    /// As it counts in the checksum of a packet of its IP version.
    #[inline(always)]
    pub(crate) fn sum(self, version_4: bool) -> WordSum {
        if version_4 {
            WordSum::default().and_u32(self.ipv4())
        } else {
            WordSum::default().and_u64(self.0[0]).and_u64(self.0[1])
        }
    }
}

/// A PortIdentity, its octets taken for words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) clock: u64,
    pub(crate) port: u16,
}

impl Identity {
    #[inline(always)]
    pub(crate) fn read<const N: usize>(octets: &[u8; N], offset: usize) -> Self {
        Self { clock: read(octets, offset), port: read(octets, offset + 8) }
    }

    #[inline(always)]
    pub(crate) fn is_zero(self) -> bool {
        self.clock == 0 && self.port == 0
    }
}
