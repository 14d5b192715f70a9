//! What comes back.

use crate::frame::{be16, be32, be64, head};
use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::{Array, PerCpuArray};
use aya_ebpf::programs::XdpContext;
use ptp_load::{
    ANSWER_COUNTERS, BINS, Client, Collecting, IP, MAX_CLIENTS, OFF, PTP, Stream, UDP, WRONG, bin,
};

const SYNC: u8 = 0x0;
const DELAY_RESP: u8 = 0x9;
const ANNOUNCE: u8 = 0xb;

#[map(name = "ANSWERS")]
static ANSWERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(ANSWER_COUNTERS, 0);

#[map(name = "LATENCIES")]
static LATENCIES: PerCpuArray<u64> = PerCpuArray::with_max_entries(BINS, 0);

#[map(name = "CLIENTS")]
static CLIENTS: Array<Client> = Array::with_max_entries(MAX_CLIENTS, 0);

#[map(name = "COLLECTING")]
static COLLECTING: Array<Collecting> = Array::with_max_entries(1, 0);

#[xdp]
fn collect(context: XdpContext) -> u32 {
    let Some(frame) = head::<{ PTP + 34 }>(&context) else { return XDP_PASS };
    let port = be16(frame, UDP + 2);
    if be16(frame, 12) != 0x0800 || frame[IP + 9] != 17 || (port != 319 && port != 320) {
        return XDP_PASS;
    }
    let message_type = frame[PTP] & 0xf;
    let destination = be32(frame, IP + 16);
    if message_type == DELAY_RESP {
        // requestingPortIdentity must be the client's that it is sent to: both hold its number.
        let named = head::<{ PTP + 54 }>(&context).map(|frame| be32(frame, PTP + 48));
        if named.is_none_or(|named| (named ^ destination) & 0xffff != 0) {
            count(WRONG);
            return XDP_DROP;
        }
    }
    count(u32::from(message_type));
    let Some(collecting) = COLLECTING.get(0) else { return XDP_DROP };
    if collecting.latencies != 0 && message_type == DELAY_RESP {
        // SAFETY: reads a clock.
        let now = unsafe { bpf_ktime_get_ns() };
        add(LATENCIES.get_ptr_mut(bin(now.wrapping_sub(be64(frame, PTP + 8)))));
    }
    let stream = match message_type {
        SYNC => 0,
        ANNOUNCE => 1,
        _ => return XDP_DROP,
    };
    let wanted_us = collecting.intervals_us[stream];
    if wanted_us != 0 {
        let number = destination.wrapping_sub(collecting.first_address);
        if let Some(client) = CLIENTS.get_ptr_mut(number) {
            // SAFETY: answers to one client come in on one CPU at a time, or one count is lost.
            let client = unsafe { &mut *client };
            note(&mut client.streams[stream], be16(frame, PTP + 30), wanted_us);
        }
    }
    XDP_DROP
}

#[xdp]
fn pass(_context: XdpContext) -> u32 {
    XDP_PASS
}

#[inline(always)]
fn note(stream: &mut Stream, sequence_id: u16, wanted_us: u32) {
    // SAFETY: reads a clock.
    let now = (unsafe { bpf_ktime_get_ns() } / 1000) as u32;
    if stream.count > 0 {
        let interval = now.wrapping_sub(stream.last_us);
        if stream.shortest_us == 0 || interval < stream.shortest_us {
            stream.shortest_us = interval;
        }
        if interval > stream.longest_us {
            stream.longest_us = interval;
        }
        if interval.abs_diff(wanted_us) > wanted_us / 10 {
            count(OFF);
        }
        if sequence_id != stream.sequence_id.wrapping_add(1) {
            stream.jumps = stream.jumps.saturating_add(1);
        }
    }
    (stream.last_us, stream.sequence_id) = (now, sequence_id);
    stream.count = stream.count.saturating_add(1);
}

#[inline(always)]
fn count(index: u32) {
    add(ANSWERS.get_ptr_mut(index));
}

#[inline(always)]
fn add(counter: Option<*mut u64>) {
    if let Some(counter) = counter {
        // SAFETY: the slot belongs to this CPU, and XDP programs on one CPU do not interrupt each other.
        unsafe { *counter += 1 }
    }
}
