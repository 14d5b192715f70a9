//! The load: live frames, each made anew, for a frame comes back as the receiver left it.

use crate::frame::{checksum, head, put, words};
use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_DROP, XDP_TX};
use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_ns, bpf_xdp_adjust_tail};
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::Array;
use aya_ebpf::programs::XdpContext;
use ptp_load::{DELAY_REQ_FRAME, IP, Lane, MAX_FRAME, PTP, REQUEST_FRAME, UDP};

#[map(name = "LANES")]
static LANES: Array<Lane> = Array::with_max_entries(64, 0);

#[xdp]
fn generate(context: XdpContext) -> u32 {
    // SAFETY: asks for a number.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let Some(lane) = LANES.get_ptr_mut(cpu) else { return XDP_ABORTED };
    // SAFETY: the bench gives each CPU a lane of its own, and writes only while nothing runs.
    let lane = unsafe { &mut *lane };
    // A frame is as long as its receiver made it, unless it is changed here: it comes with one octet too many.
    // SAFETY: the frame is not looked at yet.
    if unsafe { bpf_xdp_adjust_tail(context.ctx, -1) } != 0 {
        return XDP_ABORTED;
    }
    let made = match lane.length as usize {
        DELAY_REQ_FRAME => fill::<DELAY_REQ_FRAME>(&context, lane),
        REQUEST_FRAME => fill::<REQUEST_FRAME>(&context, lane),
        _ => false,
    };
    if !made {
        return XDP_ABORTED;
    }
    lane.made += 1;
    if lane.dropped != 0 { XDP_DROP } else { XDP_TX }
}

#[inline(always)]
fn fill<const N: usize>(context: &XdpContext, lane: &mut Lane) -> bool {
    const { assert!(64 < N && N <= 128) };
    let Some(frame) = head::<N>(context) else { return false };
    // In pieces, the last two of which may overlap: the compiler makes a loop over octets of one that is longer.
    copy(frame, &lane.template, 0);
    copy(frame, &lane.template, 32);
    if N > 96 {
        copy(frame, &lane.template, 64);
    }
    copy(frame, &lane.template, N - 32);
    let client = lane.first + lane.next;
    // Both are below the number of clients.
    let next = lane.next + lane.step;
    lane.next = if next >= lane.clients { next - lane.clients } else { next };
    let sequence_id = lane.sequence_id as u16;
    lane.sequence_id += 1;
    let address = lane.first_address + client;
    put(frame, IP + 12, address.to_be_bytes());
    put(frame, IP + 10, checksum(lane.ip_sum + words(address)).to_be_bytes());
    put(frame, PTP + 24, client.to_be_bytes());
    put(frame, PTP + 30, sequence_id.to_be_bytes());
    let mut sum = lane.udp_sum + words(address) + words(client) + u32::from(sequence_id);
    if lane.stamped != 0 {
        // SAFETY: reads a clock.
        let now = unsafe { bpf_ktime_get_ns() };
        put(frame, PTP + 8, now.to_be_bytes());
        sum += words((now >> 32) as u32) + words(now as u32);
    }
    put(frame, UDP + 6, checksum(sum).to_be_bytes());
    true
}

#[inline(always)]
fn copy<const N: usize>(frame: &mut [u8; N], template: &[u8; MAX_FRAME], at: usize) {
    frame[at..at + 32].copy_from_slice(&template[at..at + 32]);
}
