//! What a server answers and sends: templates, and the time that it serves.

use crate::wire::MAX_PATH_TRACE;

/// Octets of the longest PATH_TRACE: with it an Announce fills a packet of the controller's, too.
pub const PATH_TRACE_LENGTH: usize = 4 + 8 * MAX_PATH_TRACE;

/// What is served when, by one kind of stamp: `stamp + offset + (stamp - reference) * rate`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServedTime {
    /// A recent stamp, ns.
    pub reference_ns: u64,
    /// Served time minus stamp at the reference, ns.
    pub offset_ns: i64,
    /// What is added to the offset with time, in units of 2^-32; its magnitude is below 2^24 (0.4 %).
    pub rate: i64,
}

impl ServedTime {
    /// The served time at a stamp, in ns of the served timescale. A stamp far from the reference (18 minutes) is not
    /// extrapolated any further.
    #[inline(always)]
    pub fn at(&self, stamp_ns: u64) -> u64 {
        const FAR: i64 = 1 << 40;
        let elapsed = stamp_ns.wrapping_sub(self.reference_ns) as i64;
        let elapsed = if elapsed > FAR { FAR } else { elapsed };
        let elapsed = if elapsed < -FAR { -FAR } else { elapsed };
        // Below 2^40 * 2^23.
        let drift = elapsed.wrapping_mul(self.rate) >> 32;
        stamp_ns.wrapping_add_signed(self.offset_ns).wrapping_add_signed(drift)
    }
}

/// Everything that messages of a server are made of.
///
/// Templates are messages with zero in every field that the program fills in; the sums are those of their octets, as the
/// checksums' `WordSum` counts.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serving {
    /// For stamps of the kernel's TAI clock.
    pub software: ServedTime,
    /// For stamps of the NIC's clock.
    pub hardware: ServedTime,
    /// Addresses of the interface that need no look-up: one of IPv4 (mapped), one of IPv6. Zero = none.
    pub addresses: [[u8; 16]; 2],
    /// A Delay_Resp's header: correctionField and sequenceId are filled in.
    pub delay_resp: [u8; 34],
    /// Traffic class or type of service of everything that is sent.
    pub traffic_class: u8,
    /// 1: granted clients are answered by the program; 0: their Delay_Req are handed over.
    pub answers: u8,
    /// A Sync: sequenceId and originTimestamp are filled in.
    pub sync: [u8; 44],
    /// An Announce: sequenceId, logMessageInterval and originTimestamp are filled in.
    pub announce: [u8; 64],
    /// The PATH_TRACE TLV behind it, in its first octets; zero behind.
    pub path_trace: [u8; PATH_TRACE_LENGTH],
    /// Of `delay_resp`.
    pub delay_resp_sum: u32,
    /// Of `sync`.
    pub sync_sum: u32,
    /// Of `announce` and `path_trace`.
    pub announce_sum: u32,
    /// Octets of the TLV in `path_trace`, a multiple of 4; 0 without one.
    pub path_trace_length: u32,
    /// Zero.
    pub padding: u32,
}

impl Serving {
    /// A server that answers nobody and has nothing to send.
    pub const NOTHING: Self = Self {
        software: ServedTime { reference_ns: 0, offset_ns: 0, rate: 0 },
        hardware: ServedTime { reference_ns: 0, offset_ns: 0, rate: 0 },
        addresses: [[0; 16]; 2],
        delay_resp: [0; 34],
        traffic_class: 0,
        answers: 0,
        sync: [0; 44],
        announce: [0; 64],
        path_trace: [0; PATH_TRACE_LENGTH],
        delay_resp_sum: 0,
        sync_sum: 0,
        announce_sum: 0,
        path_trace_length: 0,
        padding: 0,
    };
}
