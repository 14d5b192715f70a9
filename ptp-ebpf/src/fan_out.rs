//! Sync and Announce: a frame that the kernel made becomes the next message that is due.

use crate::emit::{Datagram, Stamp};
use crate::octets::{Address, put, read, write};
use crate::{clients, controller, packet, timestamp};
use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, PerCpuArray};
use aya_ebpf::programs::XdpContext;
use ptp_common::abi::{
    Client, DUE_LENGTH, Due, FanOutCounter, LIVE_FRAME_LENGTH, NextHop, PATH_TRACE_LENGTH, SERVICE_ANNOUNCE,
    SERVICE_SYNC, Serving,
};
use ptp_common::net::checksum::WordSum;
use ptp_common::net::{EVENT_PORT, GENERAL_PORT, eth, ipv4, ipv6, udp};

/// The loader gives it the size that is needed.
#[map(name = "PTP_NEXT_HOPS")]
static NEXT_HOPS: Array<NextHop> = Array::with_max_entries(1, 0);

#[map(name = "PTP_DUE")]
static DUE: Array<Due> = Array::with_max_entries(1, BPF_F_MMAPABLE);

#[map(name = "PTP_FAN_OUT")]
static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(FanOutCounter::ALL.len() as u32, 0);

// IEEE 1588-2019, 13.3, 13.5 and 13.6.
const SYNC_LENGTH: usize = 44;
const ANNOUNCE_LENGTH: usize = 64;
const SEQUENCE_ID: usize = 30;
const LOG_MESSAGE_INTERVAL: usize = 33;
const ORIGIN_TIMESTAMP: usize = 34;

#[inline(always)]
pub(crate) fn count(outcome: FanOutCounter) {
    if let Some(value) = COUNTERS.get_ptr_mut(outcome as u32) {
        // SAFETY: the slot belongs to this CPU, and XDP programs on one CPU do not interrupt each other.
        unsafe { *value += 1 }
    }
}

/// Makes the frame the next message that is due.
#[inline(always)]
pub(crate) fn fill(context: &mut XdpContext) -> FanOutCounter {
    let (Ok(outcome) | Err(outcome)) = next(context);
    outcome
}

#[inline(always)]
fn next(context: &mut XdpContext) -> Result<FanOutCounter, FanOutCounter> {
    let due = DUE.get_ptr_mut(0).ok_or(FanOutCounter::Failed)?;
    // SAFETY: the map has one entry, and the controller runs this program on one CPU at a time.
    let message = unsafe {
        let next = (*due).next;
        (*due).next = next.wrapping_add(1);
        (*due).messages[next as usize & (DUE_LENGTH - 1)]
    };
    let is_sync = (message & 1) as usize == SERVICE_SYNC;
    let client = clients::at(message >> 1).ok_or(FanOutCounter::Failed)?;
    let expires = if is_sync { client.expires[SERVICE_SYNC] } else { client.expires[SERVICE_ANNOUNCE] };
    if !clients::is_granted(expires, timestamp::monotonic()) {
        return Err(FanOutCounter::GrantEnded);
    }
    let hop = NEXT_HOPS.get(client.next_hop.into()).ok_or(FanOutCounter::Failed)?;
    if hop.reachable == 0 {
        return Err(FanOutCounter::Unreachable);
    }
    let serving = controller::get()
        .and_then(|(_, controller)| controller::serving(controller))
        .ok_or(FanOutCounter::Failed)?;
    let version_4 = Address::ipv6(&client.address, 0).is_mapped();
    if is_sync {
        sync(context, client, hop, serving, version_4).ok_or(FanOutCounter::Failed)?;
        client.sequence_ids[SERVICE_SYNC] = client.sequence_ids[SERVICE_SYNC].wrapping_add(1);
        Ok(FanOutCounter::SyncSent)
    } else {
        announce(context, client, hop, serving, version_4).ok_or(FanOutCounter::Failed)?;
        client.sequence_ids[SERVICE_ANNOUNCE] = client.sequence_ids[SERVICE_ANNOUNCE].wrapping_add(1);
        Ok(FanOutCounter::AnnounceSent)
    }
}

#[inline(always)]
fn sync(
    context: &mut XdpContext,
    client: &Client,
    hop: &NextHop,
    serving: &Serving,
    version_4: bool,
) -> Option<()> {
    let sequence_id = client.sequence_ids[SERVICE_SYNC].to_be();
    let payload_offset = payload_offset(version_4);
    resized(context, payload_offset + SYNC_LENGTH)?;
    let origin_timestamp = Stamp::of(serving.software.at(timestamp::tai()));
    let sum = WordSum::from_raw(serving.sync_sum).and_u32(sequence_id.into()).and(origin_timestamp.sum());
    put_headers(context, client, hop, serving, version_4, (EVENT_PORT, SYNC_LENGTH as u16, sum))?;
    let message: &mut [u8; SYNC_LENGTH] = packet::write(context, payload_offset)?;
    put(message, 0, &serving.sync);
    write(message, SEQUENCE_ID, sequence_id);
    origin_timestamp.put(message, ORIGIN_TIMESTAMP);
    Some(())
}

#[inline(always)]
fn announce(
    context: &mut XdpContext,
    client: &Client,
    hop: &NextHop,
    serving: &Serving,
    version_4: bool,
) -> Option<()> {
    let sequence_id = client.sequence_ids[SERVICE_ANNOUNCE].to_be();
    let [log_interval] = client.log_intervals[SERVICE_ANNOUNCE].to_be_bytes();
    let payload_offset = payload_offset(version_4);
    let trace_length = (serving.path_trace_length as usize).min(PATH_TRACE_LENGTH);
    let length = ANNOUNCE_LENGTH + trace_length;
    resized(context, payload_offset + length)?;
    let origin_timestamp = Stamp::of(serving.software.at(timestamp::tai()));
    // logMessageInterval shares its word with controlField, which the template has.
    let sum = WordSum::from_raw(serving.announce_sum)
        .and_u32(sequence_id.into())
        .and_word(log_interval.into())
        .and(origin_timestamp.sum());
    put_headers(context, client, hop, serving, version_4, (GENERAL_PORT, length as u16, sum))?;
    let message: &mut [u8; ANNOUNCE_LENGTH] = packet::write(context, payload_offset)?;
    put(message, 0, &serving.announce);
    write(message, SEQUENCE_ID, sequence_id);
    message[LOG_MESSAGE_INTERVAL] = log_interval;
    origin_timestamp.put(message, ORIGIN_TIMESTAMP);
    for word in 0..PATH_TRACE_LENGTH / 4 {
        if 4 * word >= trace_length {
            break;
        }
        let place: &mut [u8; 4] = packet::write(context, payload_offset + ANNOUNCE_LENGTH + 4 * word)?;
        write(place, 0, read::<u32, _>(&serving.path_trace, 4 * word));
    }
    Some(())
}

#[inline(always)]
const fn payload_offset(version_4: bool) -> usize {
    eth::LENGTH + udp::LENGTH + if version_4 { ipv4::LENGTH } else { ipv6::LENGTH }
}

/// The kernel hands out each frame again as its receiver left it, and only a change of length renews the length: the
/// controller makes them longer than any message.
#[inline(always)]
fn resized(context: &mut XdpContext, length: usize) -> Option<()> {
    packet::resize_by(context, length as i32 - LIVE_FRAME_LENGTH as i32).then_some(())
}

#[inline(always)]
fn put_headers(
    context: &mut XdpContext,
    client: &Client,
    hop: &NextHop,
    serving: &Serving,
    version_4: bool,
    (port, payload_length, payload_sum): (u16, u16, WordSum),
) -> Option<()> {
    let datagram = Datagram {
        source: Address::ipv6(&hop.address, 0),
        destination: Address::ipv6(&client.address, 0),
        traffic_class: serving.traffic_class,
        port,
        payload_length,
        payload_sum,
    };
    let ethernet: &mut [u8; eth::LENGTH] = packet::write(context, 0)?;
    put(ethernet, 0, &hop.destination);
    put(ethernet, 6, &hop.source);
    if version_4 {
        put(ethernet, eth::ETHERTYPE, &eth::TYPE_IPV4.to_be_bytes());
        datagram.put_ipv4::<{ ipv4::LENGTH + udp::LENGTH }>(packet::write(context, eth::LENGTH)?);
    } else {
        put(ethernet, eth::ETHERTYPE, &eth::TYPE_IPV6.to_be_bytes());
        datagram.put_ipv6::<{ ipv6::LENGTH + udp::LENGTH }>(packet::write(context, eth::LENGTH)?);
    }
    Some(())
}
