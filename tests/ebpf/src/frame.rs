//! Access to frames. They all have Ethernet, IPv4 without options, and UDP.

use aya_ebpf::programs::XdpContext;

/// The first `N` octets of the frame; `None` if it is shorter.
#[inline(always)]
pub(crate) fn head<const N: usize>(context: &XdpContext) -> Option<&mut [u8; N]> {
    let start = context.data();
    if start + N > context.data_end() {
        return None;
    }
    // SAFETY: the frame holds these octets (checked above, in the form that the verifier knows), nobody else has it
    // while the program runs, and a byte array has no alignment.
    Some(unsafe { &mut *(start as *mut [u8; N]) })
}

/// `M` octets from `at`, both of which are constants at every call.
#[inline(always)]
pub(crate) fn octets<const N: usize, const M: usize>(octets: &[u8; N], at: usize) -> [u8; M] {
    core::array::from_fn(|index| octets[at + index])
}

#[inline(always)]
pub(crate) fn be16<const N: usize>(octets: &[u8; N], at: usize) -> u16 {
    u16::from_be_bytes(self::octets(octets, at))
}

#[inline(always)]
pub(crate) fn be32<const N: usize>(octets: &[u8; N], at: usize) -> u32 {
    u32::from_be_bytes(self::octets(octets, at))
}

#[inline(always)]
pub(crate) fn be64<const N: usize>(octets: &[u8; N], at: usize) -> u64 {
    u64::from_be_bytes(self::octets(octets, at))
}

/// In one go: octet by octet, the compiler makes a loop of it.
#[inline(always)]
pub(crate) fn put<const N: usize, const M: usize>(octets: &mut [u8; N], at: usize, value: [u8; M]) {
    if let Some(place) = octets.get_mut(at..at + M).and_then(|octets| octets.first_chunk_mut()) {
        *place = value;
    }
}

/// Ones' complement of the sum of words, folded.
#[inline(always)]
pub(crate) fn checksum(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    !(((sum & 0xffff) + (sum >> 16)) as u16)
}

/// The sum of the words of a number.
#[inline(always)]
pub(crate) fn words(value: u32) -> u32 {
    (value >> 16) + (value & 0xffff)
}
