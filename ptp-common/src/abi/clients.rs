//! The table of a server's clients: an entry of one cache line each, where the hash of address and identity says or in one
//! of the places behind it.
//!
//! So a look-up costs one line of memory, or a line and the one beside it: half of the places are empty. The controller
//! writes the table in place and the program reads it meanwhile: an entry has no grant while its key is written.

/// Most clients that a table may be made for.
pub const MAX_CLIENTS: u32 = (1 << 22) - 1;
/// Places that are looked at for one client.
pub const PROBES: u32 = 128;

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

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// A client: two behind one address are two. Arrays are indexed by the `SERVICE_` constants.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address, IPv4-mapped. Zero: nobody's.
    pub address: [u8; 16],
    /// Its `sourcePortIdentity`. In an entry that is nobody's, zero: no look-up needs to go on behind it.
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

/// Of a client's address, clockIdentity and portNumber, each in the octets of the wire taken for the machine's words.
#[inline(always)]
pub fn hash(seed: u64, address: [u64; 2], clock_identity: u64, port_number: u16) -> u64 {
    let [first, second] = address;
    [first, second, clock_identity, port_number.into()].into_iter().fold(seed, |hash, word| {
        let product = (hash ^ word).wrapping_mul(MULTIPLIER);
        product ^ (product >> 32)
    })
}

/// The first of the places, of `homes`, for a hash.
#[inline(always)]
pub const fn home(hash: u64, homes: u32) -> u32 {
    (((hash >> 32) * homes as u64) >> 32) as u32
}

/// How many first places a table for that many clients has, twice as many; [`PROBES`] more are behind them.
pub const fn homes(clients: u32) -> u32 {
    if clients == 0 { 1 } else { 2 * clients }
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
