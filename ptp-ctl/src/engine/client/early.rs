//! What comes before that which it follows: the network, or the data plane, has let it overtake.
//!
//! A server sends its first Announce and Sync right behind the GRANT, and stamps say nothing before an Announce has told their
//! timescale. One that came first and was thrown away would cost an interval, of all times when a client waits for its first
//! offset. So it is kept, and taken in once what it waits for is there.

use super::exchange::Complete;
use super::{Client, Count};
use crate::engine::estimator::Direction;
use crate::engine::timeline::nanos;
use crate::engine::{Instant, Packet};
use arrayvec::ArrayVec;
use ptp_common::net::Channel;
use ptp_common::time::Timestamp;
use ptp_common::wire::{Body, Message, MessageType};
use std::net::IpAddr;
use std::time::Duration;

/// An Announce, a Sync and its Follow_Up.
const KEPT: usize = 3;
/// Hardly anything is overtaken by more.
const KEPT_FOR: Duration = Duration::from_millis(500);

/// What a server's time may be apart at most between such stamps and the Announce: less than any change of timescale makes.
const CLOSE_NS: f64 = 900e6;

/// Without a GRANT: the last messages of one server.
pub(super) type Early = ArrayVec<Kept, KEPT>;

/// Without an Announce: the last stamps of one server, and when they were complete.
pub(super) type Unannounced = ArrayVec<(Instant, Complete), 4>;

/// A message that nobody had asked for when it came.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    bytes: Packet,
    channel: Channel,
    arrival: Arrival,
}

/// When a message came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) at: Instant,
    /// RX stamp, local time.
    pub(super) rx: Option<Timestamp>,
}

impl Client {
    /// Keeps a message that was not granted, if its grant was asked for; what it counts as.
    pub(super) fn keep(
        &mut self,
        message: &Message<'_>,
        bytes: &[u8],
        from: IpAddr,
        channel: Channel,
        arrival: Arrival,
    ) -> Count {
        let message_type = match message.body {
            Body::Announce(_) => MessageType::Announce,
            Body::Sync { .. } | Body::FollowUp { .. } => MessageType::Sync,
            _ => return Count::Unasked,
        };
        let association = self.associations.iter_mut().find(|association| association.entry.address == from);
        let Some(association) = association.filter(|association| association.awaits(message_type)) else {
            return Count::Unasked;
        };
        let Some(bytes) = Packet::of(bytes) else { return Count::Unasked };
        if association.early.is_full() {
            association.early.remove(0);
        }
        association.early.push(Kept { bytes, channel, arrival });
        Count::BeforeGrant
    }

    /// Keeps stamps whose timescale no Announce has told.
    pub(super) fn keep_unannounced(&mut self, now: Instant, index: usize, complete: Complete) {
        if complete == Complete::default() {
            return;
        }
        let kept = &mut self.associations[index].unannounced;
        if kept.is_full() {
            kept.remove(0);
        }
        kept.push((now, complete));
    }

    /// Takes in the stamps that came before the Announce that is there now and was sent at `origin`, by the server's time: not those of
    /// before a change of that, which is what an Announce may tell.
    pub(super) fn take_unannounced(&mut self, now: Instant, index: usize, origin: Timestamp) {
        let close = |complete: &Complete| {
            complete.passage.is_none_or(|passage| {
                let server_time = match passage.direction {
                    Direction::FromServer => passage.sent,
                    Direction::ToServer => passage.received,
                };
                nanos(origin - server_time).abs() < CLOSE_NS
            })
        };
        for (at, complete) in std::mem::take(&mut self.associations[index].unannounced) {
            if now.since(at) <= KEPT_FOR && close(&complete) {
                self.finish(now, index, complete);
            }
        }
    }

    /// Takes in what came before the GRANT that is there now.
    pub(super) fn take_early(&mut self, now: Instant, from: IpAddr) {
        let association = self.associations.iter_mut().find(|association| association.entry.address == from);
        let Some(association) = association else { return };
        for Kept { bytes, channel, arrival } in std::mem::take(&mut association.early) {
            if now.since(arrival.at) <= KEPT_FOR {
                self.received(now, bytes.as_bytes(), from, channel, arrival);
            }
        }
    }
}
