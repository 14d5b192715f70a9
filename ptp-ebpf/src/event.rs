//! The ring buffer to the controller.

use crate::classify::Message;
use crate::{counters, packet};
use aya_ebpf::macros::map;
use aya_ebpf::maps::RingBuf;
use aya_ebpf::programs::XdpContext;
use aya_log_ebpf::warn;
use ptp_common::abi::{Counter, EventRecord, MAX_PAYLOAD, RING_SIZE};
use ptp_common::net::{EVENT_PORT, udp};

#[map(name = "PTP_EVENTS")]
static EVENTS: RingBuf = RingBuf::with_byte_size(RING_SIZE, 0);

/// [`Counter::Taken`], or why not.
#[inline(always)]
pub(crate) fn hand_over(context: &XdpContext, message: &Message) -> Counter {
    let Some(mut entry) = EVENTS.reserve::<EventRecord>(0) else {
        if counters::is_first(Counter::RingFull) {
            warn!(
                context,
                "the ring buffer is full: the controller does not keep up, its messages are dropped"
            );
        }
        return Counter::RingFull;
    };
    let payload_length = message.udp.length - udp::LENGTH as u16;
    let record = entry.as_mut_ptr();
    // SAFETY: `record` points to reserved memory of a record's size, aligned to 8, that nobody reads before `submit`.
    // The addresses begin at multiples of 8 in it. All of it is written: every field here, the payload as zeros. Zeros are volatile writes: else the compiler makes
    // them calls of a memset that goes octet by octet in a loop.
    let payload = unsafe {
        (&raw mut (*record).stamp_ns).write(message.stamp.nanos);
        (&raw mut (*record).ifindex).write(context.ingress_ifindex() as u32);
        (&raw mut (*record).stamp_source).write(message.stamp.record_source());
        (&raw mut (*record).ip_version).write(if message.ip.version_4 { 4 } else { 6 });
        (&raw mut (*record).vlan_tci).write(message.vlan_tci);
        (&raw mut (*record).source_port).write(message.udp.source_port);
        (&raw mut (*record).destination_port).write(EVENT_PORT);
        (&raw mut (*record).udp_length).write(message.udp.length);
        (&raw mut (*record).udp_checksum).write(message.udp.checksum);
        (&raw mut (*record).payload_length).write(payload_length);
        let padding = &raw mut (*record).padding;
        for index in 0..6 {
            padding.cast::<u8>().add(index).write_volatile(0);
        }
        (&raw mut (*record).source).cast::<[u64; 2]>().write(message.ip.source.0);
        (&raw mut (*record).destination).cast::<[u64; 2]>().write(message.ip.destination.0);
        let payload = &raw mut (*record).payload;
        // By words: the record is aligned to 8, and the payload begins at a multiple of 8 in it.
        for index in 0..MAX_PAYLOAD / 8 {
            payload.cast::<u64>().add(index).write_volatile(0);
        }
        &mut *payload
    };
    if packet::copy(context, message.payload_offset, payload, usize::from(payload_length)) {
        entry.submit(0);
        Counter::Taken
    } else {
        entry.discard(0);
        Counter::Truncated
    }
}
