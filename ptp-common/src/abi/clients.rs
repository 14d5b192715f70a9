//! The table of a server's clients: dense entries of one cache line each, found over buckets of one cache line each.
//!
//! A look-up costs one small line of the buckets, which mostly stay in the cache, and one of the entry; a stranger
//! costs no more than the first. The controller writes both maps in place, the program reads them meanwhile: an entry
//! is complete before its place appears in a bucket, and the place is gone before the entry is used for somebody else.

/// Most clients that a place can name.
pub const MAX_CLIENTS: u32 = (1 << INDEX_BITS) - 1;
/// Places of a bucket.
pub const PLACES: usize = 16;
/// Buckets that are looked at for one client, those behind the last one in use included.
pub const PROBES: u32 = 4;
/// A place that was taken once, in a bucket that was full: look-ups go on behind it. It names entry 0, nobody's.
pub const TOMBSTONE: u32 = 1 << INDEX_BITS;

/// [`Client::expires`] counts CLOCK_MONOTONIC in ns, shifted right by this: 67 ms each, for nine years.
pub const TICK_SHIFT: u32 = 26;
/// Delay_Req that may come at once, or ahead of the granted rate: clients vary their intervals at random.
pub const DELAY_REQ_BURST: u64 = 16;

/// Index of Announce in the fields of [`Client`].
pub const SERVICE_ANNOUNCE: usize = 0;
/// Index of Sync in the fields of [`Client`].
pub const SERVICE_SYNC: usize = 1;
/// Index of Delay_Resp in the fields of [`Client`].
pub const SERVICE_DELAY_RESP: usize = 2;

const INDEX_BITS: u32 = 22;
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// A client: two behind one address are two. Arrays are indexed by the `SERVICE_` constants.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address, IPv4-mapped.
    pub address: [u8; 16],
    /// Its `sourcePortIdentity`.
    pub port_identity: [u8; 10],
    /// The granted logInterMessagePeriod, -7 to 6.
    pub log_intervals: [i8; 3],
    /// What t4 is: [`STAMP_XDP_HARDWARE`](super::STAMP_XDP_HARDWARE) where this client's Sync carries the NIC's TX
    /// stamps, else [`STAMP_XDP_SOFTWARE`](super::STAMP_XDP_SOFTWARE).
    pub stamp_source: u8,
    /// Entry of [`names::NEXT_HOPS`](super::names::NEXT_HOPS), 0 while there is none.
    pub next_hop: u16,
    /// When each grant ends, see [`TICK_SHIFT`]; 0 = there is none.
    pub expires: [u32; 3],
    /// Of the next Announce and the next Sync; the program counts on. They outlive the grants.
    pub sequence_ids: [u16; 2],
    /// CLOCK_MONOTONIC in ns: when the granted rate has room for the next Delay_Req, were there no burst. The program's.
    pub bucket_ns: u64,
    /// Delay_Req that were answered or handed over. The program's; wraps.
    pub served: u32,
    /// Delay_Req beyond the granted rate. The program's; wraps.
    pub above_rate: u32,
}

/// Up to [`PLACES`] clients whose hash led here, from the first place on without a gap; 0 = empty.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Each as [`place`] makes it.
    pub places: [u32; PLACES],
}

/// Of a client's address, clockIdentity and portNumber, each in the octets of the wire taken for the machine's words.
#[inline(always)]
pub fn hash(seed: u64, address: [u64; 2], clock_identity: u64, port_number: u16) -> u64 {
    let [first, second] = address;
    [first, second, clock_identity, port_number.into()].into_iter().fold(seed, |hash, word| {
        let product = (hash ^ word).wrapping_mul(MULTIPLIER);
        product ^ (product >> 32)
    })
}

/// The first bucket, of `buckets`, for a hash.
#[inline(always)]
pub const fn bucket(hash: u64, buckets: u32) -> u32 {
    (((hash >> 32) * buckets as u64) >> 32) as u32
}

/// How many buckets that many clients need: they fill half of the places.
pub const fn buckets(clients: u32) -> u32 {
    clients / (PLACES as u32 / 2) + 1
}

/// What stands in a bucket for the client at `index`, 1 to [`MAX_CLIENTS`]: the index, and some bits of the hash, so that
/// few others are looked at.
#[inline(always)]
pub const fn place(hash: u64, index: u32) -> u32 {
    ((hash as u32) << INDEX_BITS) | index
}

/// The index in a place, if the place may be this client's.
#[inline(always)]
pub const fn client_of(place: u32, hash: u64) -> Option<u32> {
    if (place ^ ((hash as u32) << INDEX_BITS)) >> INDEX_BITS == 0 {
        Some(place & ((1 << INDEX_BITS) - 1))
    } else {
        None
    }
}

/// 2^`log_interval` s in ns, for -9 to 30.
#[inline(always)]
pub const fn interval_ns(log_interval: i8) -> u64 {
    const NANOS_PER_SEC: u64 = 1_000_000_000;
    if log_interval < 0 {
        NANOS_PER_SEC >> (log_interval.unsigned_abs() & 31)
    } else {
        NANOS_PER_SEC << (log_interval.unsigned_abs() & 31)
    }
}
