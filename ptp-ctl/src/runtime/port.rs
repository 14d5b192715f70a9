//! A port: what it brings is told to the engine, with readings of the clock in the place of raw stamps.

use super::counters::Counters;
use super::interfaces::Links;
use super::plane::Plane;
use crate::clock::{Clock, realtime_nanos};
use crate::engine::{Input, TxToken};
use crate::net::{self, Sockets};
use anyhow::Context as _;
use ptp_common::net::Channel;
use ptp_common::time::{NANOS_PER_SEC, RawStamp, StampSource, Timestamp};
use std::time::Instant;

/// A stamp of the kernel that is further than this from now was taken under another TAI offset.
const RECENT_NS: u64 = 500_000_000;

/// What a port has of its own.
pub(super) struct Port {
    pub(super) sockets: Sockets<TxToken>,
    /// The XDP data plane; without it, event messages come from the sockets.
    pub(super) plane: Option<Plane>,
    pub(super) links: Links,
}

/// What taking told.
pub(super) struct Taken {
    /// There may be more.
    pub(super) more: bool,
    /// The kernel's TAI offset may be another one than we know.
    pub(super) tai_changed: bool,
}

impl Port {
    /// Waits for packets, stamps or records. Cancel-safe.
    pub(super) async fn ready(&self) -> anyhow::Result<()> {
        let ring = async {
            match &self.plane {
                Some(plane) => plane.ready().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ready = ring => ready,
            ready = self.sockets.ready() => ready.map(|_| ()).context("cannot wait for packets"),
        }
    }

    /// Hands over all that came in; stamps are of `clock`.
    pub(super) fn take(
        &mut self,
        now: Instant,
        clock: &dyn Clock,
        tai_offset: Option<i32>,
        counters: &mut Counters,
        mut to: impl FnMut(Input<'_>),
    ) -> Taken {
        // A server's first Sync follows on its grant: the sockets come before the ring.
        let more = self.receive(clock, counters, &mut to);
        // TX stamps, and tokens whose stamp was lost.
        self.sockets.take_sent(now, |token, stamp| {
            let tx = stamp.and_then(|stamp| reading(clock, stamp, &mut counters.tx_stamp_unusable));
            to(Input::Sent { token, tx });
        });
        let Some(plane) = &mut self.plane else { return Taken { more, tai_changed: false } };
        let records = drain(plane, clock, counters, tai_offset, to);
        Taken { more: more | records.more, ..records }
    }

    /// Datagrams. True if there may be more.
    fn receive(&mut self, clock: &dyn Clock, counters: &mut Counters, mut to: impl FnMut(Input<'_>)) -> bool {
        let mut taken = 0;
        let has_plane = self.plane.is_some();
        self.sockets.receive(|datagram| {
            taken += 1;
            // It should have come from the XDP program.
            let past_the_plane = has_plane && datagram.channel == Channel::Event;
            counters.event_via_socket += u64::from(past_the_plane);
            let stamp = datagram.stamp.filter(|_| !past_the_plane);
            let rx = stamp.and_then(|stamp| reading(clock, stamp, &mut counters.rx_stamp_unusable));
            let net::Datagram { octets: bytes, from, channel, .. } = datagram;
            to(Input::Received { bytes, from, channel, rx });
        });
        taken >= net::BATCH
    }
}

/// Records of the ring.
fn drain(
    plane: &mut Plane,
    clock: &dyn Clock,
    counters: &mut Counters,
    tai_offset: Option<i32>,
    mut to: impl FnMut(Input<'_>),
) -> Taken {
    let known = u64::try_from(tai_offset.unwrap_or(0)).unwrap_or(0) * u64::from(NANOS_PER_SEC);
    let tai_now = realtime_nanos() + known;
    let mut tai_changed = false;
    let more = plane.drain(|event| {
        // The kernel's stamp counts its TAI clock, and its offset may have changed since we read it.
        if event.stamp.is_some_and(|stamp| {
            stamp.source == StampSource::XdpSw && stamp.nanos.abs_diff(tai_now) > RECENT_NS
        }) {
            tai_changed = true;
            counters.tai_changed += 1;
            return;
        }
        let rx = event.stamp.and_then(|stamp| reading(clock, stamp, &mut counters.rx_stamp_unusable));
        to(Input::Received { bytes: event.bytes, from: event.from, channel: Channel::Event, rx });
    });
    Taken { more, tai_changed }
}

/// The clock's reading when the stamp was taken.
fn reading(clock: &dyn Clock, stamp: RawStamp, unusable: &mut u64) -> Option<Timestamp> {
    let reading = clock.at(stamp);
    *unusable += u64::from(reading.is_none());
    reading
}
