//! Pairing: Sync, Follow_Up, Delay_Req, its TX stamp and Delay_Resp make an exchange, in whatever order they come.

use crate::engine::Instant;
use crate::engine::estimator::Direction;
use crate::engine::timeline::nanos;
use ptp_common::time::{Interval, Timestamp};
use std::time::Duration;

/// Exchanges under way at one time. At 128 a second the oldest is 60 ms old when its place is needed.
const SLOTS: usize = 16;
/// A part that is older belongs to nothing any more: a restarted server may count from the same number again.
const MAX_AGE: Duration = Duration::from_secs(4);

/// The four stamps as they were taken, and what the correction fields add up to on each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exchange {
    /// Sync sent, server's time.
    pub(super) t1: Timestamp,
    /// Sync received, local time.
    pub(super) t2: Timestamp,
    /// Delay_Req sent, local time.
    pub(super) t3: Timestamp,
    /// Delay_Req received, server's time.
    pub(super) t4: Timestamp,
    /// Of Sync and Follow_Up.
    pub(super) sync_correction: Interval,
    /// Of Delay_Resp, which carries that of Delay_Req.
    pub(super) delay_correction: Interval,
}

impl Exchange {
    /// [(t2 - t1) - (t4 - t3)]/2 and [(t2 - t1) + (t4 - t3)]/2, corrected, in ns (IEEE 1588-2019, 11.2 and 11.3).
    ///
    /// `local_to_server` brings a local reading into the server's timescale. `rate_error_ppb` is how much too fast the
    /// local clock runs: between t2 and t3 that adds up to nanoseconds, which are no delay. The offset is that of the
    /// middle of the exchange, and needs no such help.
    pub(super) fn offset_and_delay(&self, local_to_server: Interval, rate_error_ppb: f64) -> (f64, f64) {
        let from_server = self.t2 - self.t1 + local_to_server - self.sync_correction;
        let to_server = self.t4 - self.t3 - local_to_server - self.delay_correction;
        let drift = nanos(self.t3 - self.t2) * rate_error_ppb * 1e-9;
        (nanos(from_server - to_server) / 2.0, (nanos(from_server + to_server) + drift) / 2.0)
    }
}

/// One packet, stamped at both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passage {
    /// Which way it went.
    pub(super) direction: Direction,
    /// Stamp of the sender.
    pub(super) sent: Timestamp,
    /// Stamp of the receiver.
    pub(super) received: Timestamp,
    /// What the correction fields add up to.
    pub(super) correction: Interval,
}

/// What a part that came in made complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Complete {
    /// One packet's stamps.
    pub(super) passage: Option<Passage>,
    /// All four stamps of an exchange.
    pub(super) exchange: Option<Exchange>,
}

/// A reception or transmission was a repetition, or belongs to nothing that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unpaired {
    /// The same part came before.
    Duplicate,
    /// Nothing was asked under this sequenceId.
    Unknown,
}

#[derive(Clone, Copy, Debug)]
struct SyncPart {
    sequence_id: u16,
    created: Instant,
    received: Option<(Timestamp, Interval)>,
    origin: Option<(Timestamp, Interval)>,
}

#[derive(Clone, Copy, Debug)]
struct DelayPart {
    sequence_id: u16,
    sync_sequence_id: u16,
    created: Instant,
    sent: Option<Timestamp>,
    answered: Option<(Timestamp, Interval)>,
}

impl SyncPart {
    fn passage(&self) -> Option<Passage> {
        let ((received, sync_correction), (sent, origin_correction)) = (self.received?, self.origin?);
        let correction = sync_correction + origin_correction;
        Some(Passage { direction: Direction::FromServer, sent, received, correction })
    }
}

impl DelayPart {
    fn passage(&self) -> Option<Passage> {
        let (sent, (received, correction)) = (self.sent?, self.answered?);
        Some(Passage { direction: Direction::ToServer, sent, received, correction })
    }
}

/// All exchanges under way with one server.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchanges {
    syncs: [Option<SyncPart>; SLOTS],
    delays: [Option<DelayPart>; SLOTS],
    next_sequence_id: u16,
    lost: u64,
}

impl Exchanges {
    /// A Sync came in at `t2`; `origin` is its originTimestamp when it is one-step.
    pub(super) fn sync(
        &mut self,
        now: Instant,
        sequence_id: u16,
        t2: Timestamp,
        correction: Interval,
        origin: Option<Timestamp>,
    ) -> Result<Complete, Unpaired> {
        let part = self.sync_part(now, sequence_id);
        if part.received.is_some() {
            return Err(Unpaired::Duplicate);
        }
        part.received = Some((t2, correction));
        if let Some(origin) = origin {
            part.origin = Some((origin, Interval::ZERO));
        }
        let passage = part.passage();
        Ok(Complete { passage, exchange: self.complete_by_sync(sequence_id) })
    }

    /// A Follow_Up came in, before or after its Sync.
    pub(super) fn follow_up(
        &mut self,
        now: Instant,
        sequence_id: u16,
        origin: Timestamp,
        correction: Interval,
    ) -> Result<Complete, Unpaired> {
        let part = self.sync_part(now, sequence_id);
        if part.origin.is_some() {
            return Err(Unpaired::Duplicate);
        }
        part.origin = Some((origin, correction));
        let passage = part.passage();
        Ok(Complete { passage, exchange: self.complete_by_sync(sequence_id) })
    }

    /// Opens the second half of the exchange that the last Sync began: the sequenceId of the Delay_Req to send.
    /// `None` without such a Sync.
    pub(super) fn delay_req(&mut self, now: Instant) -> Option<u16> {
        let begun = self.syncs.iter().flatten().filter(|sync| sync.received.is_some());
        let sync_sequence_id = begun.max_by_key(|sync| sync.created)?.sequence_id;
        if self.delays.iter().flatten().any(|part| part.sync_sequence_id == sync_sequence_id) {
            return None;
        }
        let sequence_id = self.next_sequence_id;
        self.next_sequence_id = sequence_id.wrapping_add(1);
        let part = DelayPart { sequence_id, sync_sequence_id, created: now, sent: None, answered: None };
        let place = free_place(&mut self.delays, |part| part.created);
        if place.replace(part).is_some() {
            self.lost += 1;
        }
        Some(sequence_id)
    }

    /// The Delay_Req left at `t3`; `None`: nobody knows when, and the exchange is lost.
    pub(super) fn sent(&mut self, sequence_id: u16, t3: Option<Timestamp>) -> Result<Complete, Unpaired> {
        let place = self.delay_place(sequence_id).ok_or(Unpaired::Unknown)?;
        let Some(t3) = t3 else {
            *place = None;
            self.lost += 1;
            return Ok(Complete::default());
        };
        let part = place.as_mut().ok_or(Unpaired::Unknown)?;
        if part.sent.replace(t3).is_some() {
            return Err(Unpaired::Duplicate);
        }
        let passage = part.passage();
        Ok(Complete { passage, exchange: self.complete_by_delay(sequence_id) })
    }

    /// A Delay_Resp came in, before or after the TX stamp of its Delay_Req.
    pub(super) fn delay_resp(
        &mut self,
        now: Instant,
        sequence_id: u16,
        t4: Timestamp,
        correction: Interval,
    ) -> Result<Complete, Unpaired> {
        let place = self.delay_place(sequence_id).ok_or(Unpaired::Unknown)?;
        let part =
            place.as_mut().filter(|part| now.since(part.created) <= MAX_AGE).ok_or(Unpaired::Unknown)?;
        if part.answered.is_some() {
            return Err(Unpaired::Duplicate);
        }
        part.answered = Some((t4, correction));
        let passage = part.passage();
        Ok(Complete { passage, exchange: self.complete_by_delay(sequence_id) })
    }

    /// Forgets everything under way: the stamps of before and after cannot be compared.
    pub(super) fn void(&mut self) {
        self.lost += self.delays.iter().flatten().count() as u64;
        self.syncs = Default::default();
        self.delays = Default::default();
    }

    /// Exchanges begun by a Delay_Req and never completed.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    fn sync_part(&mut self, now: Instant, sequence_id: u16) -> &mut SyncPart {
        let fresh = |part: &SyncPart| part.sequence_id == sequence_id && now.since(part.created) <= MAX_AGE;
        let known = self.syncs.iter().position(|place| place.as_ref().is_some_and(fresh));
        let place = match known {
            Some(index) => &mut self.syncs[index],
            None => {
                let place = free_place(&mut self.syncs, |part| part.created);
                *place = None;
                place
            }
        };
        place.get_or_insert(SyncPart { sequence_id, created: now, received: None, origin: None })
    }

    fn delay_place(&mut self, sequence_id: u16) -> Option<&mut Option<DelayPart>> {
        self.delays.iter_mut().find(|place| place.is_some_and(|part| part.sequence_id == sequence_id))
    }

    fn complete_by_sync(&mut self, sequence_id: u16) -> Option<Exchange> {
        let delay = self.delays.iter().flatten().find(|part| part.sync_sequence_id == sequence_id)?;
        self.complete_by_delay(delay.sequence_id)
    }

    /// Takes the Delay_Req `sequence_id` out and makes an exchange of it if all its parts are there.
    fn complete_by_delay(&mut self, sequence_id: u16) -> Option<Exchange> {
        let place =
            self.delays.iter_mut().find(|place| place.is_some_and(|part| part.sequence_id == sequence_id))?;
        let part = (*place)?;
        let sync = self.syncs.iter().flatten().find(|sync| sync.sequence_id == part.sync_sequence_id)?;
        let (there, back) = (sync.passage()?, part.passage()?);
        *place = None;
        Some(Exchange {
            t1: there.sent,
            t2: there.received,
            t3: back.sent,
            t4: back.received,
            sync_correction: there.correction,
            delay_correction: back.correction,
        })
    }
}

/// An empty place, or else the oldest one.
fn free_place<T>(places: &mut [Option<T>; SLOTS], created: impl Fn(&T) -> Instant) -> &mut Option<T> {
    let index = (0..SLOTS).min_by_key(|&index| places[index].as_ref().map(&created)).unwrap_or(0);
    &mut places[index]
}
