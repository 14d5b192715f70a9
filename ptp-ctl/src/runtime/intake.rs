//! From what a port brings to what the engine is told: readings of the clock in the place of raw stamps.

use super::counters::Counters;
use super::plane::Plane;
use crate::clock::{Clock, realtime_nanos};
use crate::engine::{Input, TxToken};
use crate::net::{self, Sockets};
use ptp_common::net::Channel;
use ptp_common::time::{NANOS_PER_SEC, RawStamp, StampSource, Timestamp};

/// A stamp of the kernel that is further than this from now was taken under another TAI offset.
const RECENT_NS: u64 = 500_000_000;

/// Hands over datagrams. `past_the_plane`: event messages should have come from the XDP program. True if there may be more.
pub(super) fn receive(
    sockets: &mut Sockets<TxToken>,
    past_the_plane: bool,
    clock: &dyn Clock,
    counters: &mut Counters,
    mut to: impl FnMut(Input<'_>),
) -> bool {
    let mut taken = 0;
    sockets.receive(|datagram| {
        taken += 1;
        let past_the_plane = past_the_plane && datagram.channel == Channel::Event;
        counters.event_via_socket += u64::from(past_the_plane);
        let stamp = datagram.stamp.filter(|_| !past_the_plane);
        let rx = stamp.and_then(|stamp| reading(clock, stamp, &mut counters.rx_stamp_unusable));
        let net::Datagram { octets: bytes, from, channel, .. } = datagram;
        to(Input::Received { bytes, from, channel, rx });
    });
    taken >= net::BATCH
}

/// Hands over records of a ring: whether there may be more, and whether the kernel's TAI offset is still the one that we know.
pub(super) fn drain(
    plane: &mut Plane,
    clock: &dyn Clock,
    counters: &mut Counters,
    tai_offset: Option<i32>,
    mut to: impl FnMut(Input<'_>),
) -> (bool, bool) {
    let known = u64::try_from(tai_offset.unwrap_or(0)).unwrap_or(0) * u64::from(NANOS_PER_SEC);
    let tai_now = realtime_nanos() + known;
    let mut unchanged = true;
    let more = plane.drain(|event| {
        // The kernel's stamp counts its TAI clock, and its offset may have changed since we read it.
        if event.stamp.is_some_and(|stamp| {
            stamp.source == StampSource::XdpSw && stamp.nanos.abs_diff(tai_now) > RECENT_NS
        }) {
            unchanged = false;
            counters.tai_changed += 1;
            return;
        }
        let rx = event.stamp.and_then(|stamp| reading(clock, stamp, &mut counters.rx_stamp_unusable));
        to(Input::Received { bytes: event.bytes, from: event.from, channel: Channel::Event, rx });
    });
    (more, unchanged)
}

/// The clock's reading when the stamp was taken.
pub(super) fn reading(clock: &dyn Clock, stamp: RawStamp, unusable: &mut u64) -> Option<Timestamp> {
    let reading = clock.at(stamp);
    *unusable += u64::from(reading.is_none());
    reading
}
