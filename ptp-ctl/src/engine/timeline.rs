//! The local clock as it would read if nobody steered it.

use super::Instant;
use ptp_common::time::{Interval, Timestamp};
use std::collections::VecDeque;

/// Changes of the frequency that are remembered: stamps may be reported that much later.
const SEGMENTS: usize = 32;

/// What was done to the local clock, so that stamps of before and after can be compared.
///
/// Estimators see the clock without steering, whose frequency changes only as its oscillator does. A step makes
/// a new line: stamps of before cannot be told from stamps of after.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    /// At most [`SEGMENTS`].
    segments: VecDeque<Segment>,
    /// The adjustment that counts as none, ppb.
    initial_ppb: f64,
    /// A reading of the local clock and when it was taken.
    anchor: Option<(Instant, Timestamp)>,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Local time from which on it holds.
    from: Timestamp,
    /// What steering had added to the clock by then.
    added: Interval,
    /// What it adds from then on, ppb.
    rate_ppb: f64,
}

impl Timeline {
    /// Of a clock that runs with this adjustment, ppb.
    pub(super) fn new(initial_ppb: f64) -> Self {
        Self { segments: VecDeque::with_capacity(SEGMENTS), initial_ppb, anchor: None }
    }

    /// The local clock read `reading` a moment before `now`.
    pub(super) fn observe(&mut self, now: Instant, reading: Timestamp) {
        self.anchor = Some((now, reading));
    }

    /// What the local clock reads at `now`, to the precision of an interrupt; `None` before the first stamp.
    pub(super) fn reading(&self, now: Instant) -> Option<Timestamp> {
        self.anchor.map(|(then, reading)| {
            let elapsed = i128::try_from(now.since(then).as_nanos()).unwrap_or(i128::MAX);
            reading.saturating_add(Interval::from_nanos(elapsed))
        })
    }

    /// What steering has added to the clock by the time that it reads `local`.
    pub(super) fn added(&self, local: Timestamp) -> Interval {
        let past = self.segments.iter().rev().find(|segment| segment.from <= local);
        past.or(self.segments.front()).map_or(Interval::ZERO, |segment| {
            segment.added + from_nanos(nanos(local - segment.from) * segment.rate_ppb * 1e-9)
        })
    }

    /// The clock runs with this adjustment from `now` on, ppb.
    pub(super) fn adjust(&mut self, now: Instant, ppb: f64) {
        let Some(local) = self.reading(now) else {
            self.initial_ppb = ppb;
            return;
        };
        let segment = Segment { from: local, added: self.added(local), rate_ppb: ppb - self.initial_ppb };
        if self.segments.len() == SEGMENTS {
            self.segments.pop_front();
        }
        self.segments.push_back(segment);
    }

    /// The last change of the frequency took effect when the clock read `local`: so exactly only the driver knows.
    ///
    /// The system call comes milliseconds after the interrupt that brought the packet on a slow machine, and 20 ppm make 20 ns in
    /// each of them.
    pub(super) fn took_effect(&mut self, local: Timestamp) {
        if let Some(last) = self.segments.pop_back() {
            let added = self.added(local);
            self.segments.push_back(Segment { from: local, added, ..last });
        }
    }

    /// The clock was set forward by so much at `now`.
    pub(super) fn step(&mut self, now: Instant, by: Interval) {
        let Some(local) = self.reading(now) else {
            return;
        };
        let (added, rate_ppb) =
            (self.added(local) + by, self.segments.back().map_or(0.0, |segment| segment.rate_ppb));
        self.segments.clear();
        let from = local.saturating_add(by);
        self.segments.push_back(Segment { from, added, rate_ppb });
        self.anchor = Some((now, from));
    }
}

/// In ns.
pub(crate) fn nanos(interval: Interval) -> f64 {
    interval.scaled() as f64 / 65536.0
}

/// From ns.
pub(super) fn from_nanos(nanos: f64) -> Interval {
    Interval::from_scaled((nanos * 65536.0).round() as i128)
}

#[cfg(test)]
mod tests;
