//! The limit: what the machine does when next to nothing is done for a frame.

use crate::frame::{be16, be32, checksum, head, octets, put, words};
use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_PASS, XDP_TX};
use aya_ebpf::helpers::generated::{bpf_ktime_get_tai_ns, bpf_xdp_adjust_tail};
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::XdpContext;
use ptp_load::{DELAY_REQ_FRAME, IP, MAX_CLIENTS, PTP, UDP};

/// What a Delay_Resp has more than a Delay_Req: requestingPortIdentity.
const MORE: usize = 10;
const DELAY_RESP_FRAME: usize = DELAY_REQ_FRAME + MORE;
const NANOS_PER_SEC: u64 = 1_000_000_000;

#[map(name = "GRANTED")]
static GRANTED: HashMap<u32, u32> = HashMap::with_max_entries(MAX_CLIENTS, 0);

#[xdp]
fn reflect(context: XdpContext) -> u32 {
    let Some(frame) = head::<12>(&context) else { return XDP_ABORTED };
    swap_ethernet(frame);
    XDP_TX
}

/// One hash look-up, by the source address, and no policy: no rate, no expiry, no identity, no domain, no check of any
/// checksum, no counter, no time but the kernel's TAI clock, IPv4 only, UDP checksum left out.
#[xdp]
fn respond(context: XdpContext) -> u32 {
    let Some(frame) = head::<DELAY_REQ_FRAME>(&context) else { return XDP_PASS };
    if be16(frame, 12) != 0x0800
        || frame[IP] != 0x45
        || frame[IP + 9] != 17
        || be16(frame, UDP + 2) != 319
        || frame[PTP] & 0xf != 1
    {
        return XDP_PASS;
    }
    if GRANTED.get_ptr(u32::from_ne_bytes(octets(frame, IP + 12))).is_none() {
        return XDP_PASS;
    }
    // SAFETY: reads a clock, then makes the frame longer; what was known of it is not used any more.
    let now = unsafe { bpf_ktime_get_tai_ns() };
    if unsafe { bpf_xdp_adjust_tail(context.ctx, MORE as i32) } != 0 {
        return XDP_ABORTED;
    }
    let Some(frame) = head::<DELAY_RESP_FRAME>(&context) else { return XDP_ABORTED };
    swap_ethernet(frame);
    let (from, to) = (be32(frame, IP + 12), be32(frame, IP + 16));
    put(frame, IP + 12, to.to_be_bytes());
    put(frame, IP + 16, from.to_be_bytes());
    // Only the length has changed.
    let length = be16(frame, IP + 2) + MORE as u16;
    put(frame, IP + 2, length.to_be_bytes());
    let sum = u32::from(!be16(frame, IP + 10)) + MORE as u32;
    put(frame, IP + 10, checksum(words(sum)).to_be_bytes());
    put(frame, UDP, [0x01, 0x40, 0x01, 0x40]);
    put(frame, UDP + 4, (be16(frame, UDP + 4) + MORE as u16).to_be_bytes());
    put(frame, UDP + 6, [0, 0]);
    frame[PTP] = frame[PTP] & 0xf0 | 0x9;
    put(frame, PTP + 2, [0, 54, 0, 0, 0x04, 0x00]);
    let requesting: [u8; 10] = octets(frame, PTP + 20);
    put(frame, PTP + 20, [2, 0, 0, 0xff, 0xfe, 0, 0, 1, 0, 1]);
    put(frame, PTP + 32, [3, 0x7f]);
    let (seconds, nanoseconds) = (now / NANOS_PER_SEC, (now % NANOS_PER_SEC) as u32);
    put(frame, PTP + 34, ((seconds >> 32) as u16).to_be_bytes());
    put(frame, PTP + 36, (seconds as u32).to_be_bytes());
    put(frame, PTP + 40, nanoseconds.to_be_bytes());
    put(frame, PTP + 44, requesting);
    XDP_TX
}

#[inline(always)]
fn swap_ethernet<const N: usize>(frame: &mut [u8; N]) {
    let (destination, source): ([u8; 6], [u8; 6]) = (octets(frame, 0), octets(frame, 6));
    put(frame, 0, source);
    put(frame, 6, destination);
}
