//! What the programs of `bench server` and the bench have in common: names, map layouts, where things are in a frame.
#![no_std]

/// Names of programs and maps.
pub mod names {
    /// Fills live frames with requests, as [`Lane`](super::Lane) says.
    pub const GENERATE: &str = "generate";
    /// Counts answers, and drops them.
    pub const COLLECT: &str = "collect";
    /// Lets everything pass.
    pub const PASS: &str = "pass";
    /// Sends every frame back: only the Ethernet addresses change places.
    pub const REFLECT: &str = "reflect";
    /// The smallest possible responder: one look-up of the address in a hash map, no policy.
    pub const RESPOND: &str = "respond";
    /// `Array<Lane>`, one for each CPU.
    pub const LANES: &str = "LANES";
    /// `PerCpuArray<u64>`: answers by messageType, then [`WRONG`](super::WRONG) and [`OFF`](super::OFF).
    pub const ANSWERS: &str = "ANSWERS";
    /// `PerCpuArray<u64>`: answers by time since the request, see [`bin`](super::bin).
    pub const LATENCIES: &str = "LATENCIES";
    /// `Array<Client>`: by number of the client.
    pub const CLIENTS: &str = "CLIENTS";
    /// `Array<Collecting>` with one entry.
    pub const COLLECTING: &str = "COLLECTING";
    /// `HashMap<u32, u32>`: the clients of [`RESPOND`], by address in network order.
    pub const GRANTED: &str = "GRANTED";
}

/// Octets of the longest request.
pub const MAX_FRAME: usize = 128;
/// Octets of a frame with a Delay_Req.
pub const DELAY_REQ_FRAME: usize = 86;
/// Octets of a frame with a Signaling message of three REQUEST TLVs.
pub const REQUEST_FRAME: usize = 116;
/// Clients at most.
pub const MAX_CLIENTS: u32 = 1 << 20;

/// Offset of the IPv4 header.
pub const IP: usize = 14;
/// Offset of the UDP header.
pub const UDP: usize = IP + 20;
/// Offset of the PTP message.
pub const PTP: usize = UDP + 8;

/// Index of answers that do not name the client they were sent to.
pub const WRONG: u32 = 16;
/// Index of messages that came more than a tenth of their interval too early or too late after the one before.
pub const OFF: u32 = 17;
/// Counters of answers.
pub const ANSWER_COUNTERS: u32 = 18;
/// Counters of latencies.
pub const BINS: u32 = 32 * 16;

/// What a CPU sends.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct Lane {
    /// The frame, with zero in source address, IPv4 and UDP checksum, sourcePortIdentity's last four octets of the
    /// clock identity, sequenceId and correctionField.
    pub template: [u8; MAX_FRAME],
    /// Octets in the frame: [`DELAY_REQ_FRAME`] or [`REQUEST_FRAME`].
    pub length: u32,
    /// The number of the first client that sends from here.
    pub first: u32,
    /// How many clients send from here.
    pub clients: u32,
    /// Who of them sends next, counted from the first; the program goes on.
    pub next: u32,
    /// What comes next is so much further on, around the circle of clients.
    pub step: u32,
    /// IPv4 address of client 0, in host order.
    pub first_address: u32,
    /// 1: frames are made and then dropped.
    pub dropped: u32,
    /// 1: correctionField carries CLOCK_MONOTONIC in ns.
    pub stamped: u32,
    /// Sum of the IPv4 header's words, in host order.
    pub ip_sum: u32,
    /// Sum of the words of pseudo-header, UDP header and payload.
    pub udp_sum: u32,
    /// sequenceId of the next frame; the program counts on.
    pub sequence_id: u32,
    /// Frames made; the program's.
    pub made: u64,
    /// Zero.
    pub padding: [u32; 3],
}

/// What is looked at in answers.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Collecting {
    /// 1: times since the request, from the correctionField of Delay_Resp.
    pub latencies: u32,
    /// IPv4 address of client 0, in host order.
    pub first_address: u32,
    /// Intervals that Sync and Announce should have, µs; 0: they are not looked at.
    pub intervals_us: [u32; 2],
}

/// What a client received: half of a cache line, for it is the clients' own work that this stands for.
#[repr(C, align(32))]
#[derive(Clone, Copy, Default)]
pub struct Client {
    /// Sync, Announce.
    pub streams: [Stream; 2],
}

/// Messages of one type to one client.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Stream {
    /// CLOCK_MONOTONIC of the last one, µs.
    pub last_us: u32,
    /// Shortest interval, µs; 0 before the second message.
    pub shortest_us: u32,
    /// Longest interval, µs.
    pub longest_us: u32,
    /// sequenceId of the last one.
    pub sequence_id: u16,
    /// How many came; 255 is that or more.
    pub count: u8,
    /// Messages that did not carry the sequenceId after the one before; 255 is that or more.
    pub jumps: u8,
}

/// Where a time in ns is counted: 16 bins for every power of two.
#[inline(always)]
pub const fn bin(nanos: u64) -> u32 {
    if nanos < 16 {
        return nanos as u32;
    }
    // The verifier wants to see the bound; more than 32 bits are 4 s.
    let nanos = if nanos > u32::MAX as u64 { u32::MAX } else { nanos as u32 };
    let log2 = 31 - nanos.leading_zeros();
    ((log2 - 3) << 4) + ((nanos >> (log2 - 4)) & 15)
}

/// The shortest time of a bin, ns.
pub const fn least_of(bin: u32) -> u64 {
    if bin < 16 {
        return bin as u64;
    }
    let log2 = (bin >> 4) + 3;
    (16 + (bin & 15) as u64) << (log2 - 4)
}

#[cfg(test)]
mod tests {
    use super::{BINS, bin, least_of};

    #[test]
    fn bins_are_in_order() {
        for nanos in (0..70_000).chain([u32::MAX.into(), u64::MAX]) {
            let bin = bin(nanos);
            assert!(bin < BINS && least_of(bin) <= nanos, "{nanos}");
            assert!(nanos >= u32::MAX.into() || least_of(bin + 1) > nanos, "{nanos}");
        }
    }
}
