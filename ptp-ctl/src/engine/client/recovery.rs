//! From stamps to an estimate: one server's time as its packets tell it.

use super::exchange::Passage;
use crate::engine::Instant;
use crate::engine::estimator::{Change, Direction, Estimate, Estimator, Leg};
use crate::engine::timeline::{Timeline, nanos};
use ptp_common::time::{Interval, Timestamp};

/// The estimator of one server and what its numbers are relative to.
#[derive(Clone, Debug)]
pub(super) struct Recovery {
    estimator: Estimator,
    /// Local time, without steering, of the first packet.
    epoch: Timestamp,
    /// Offset that the estimator takes for zero: its numbers stay small, and keep their digits.
    base: Interval,
}

impl Recovery {
    /// Begins with this packet. The frequency is right within about `deviation` ppb.
    pub(super) fn new(passage: &Passage, timeline: &Timeline, to_server: Interval, deviation: f64) -> Self {
        let local = local(passage);
        let free = local + (to_server - timeline.added(local));
        let server = if local == passage.received { passage.sent } else { passage.received };
        Self { estimator: Estimator::new(deviation), epoch: free, base: free - server }
    }

    /// Takes in a packet. `to_server` brings a local reading into the server's timescale, `asymmetry` is
    /// delayAsymmetry.
    pub(super) fn take(
        &mut self,
        passage: &Passage,
        timeline: &Timeline,
        to_server: Interval,
        asymmetry: f64,
    ) -> Option<Change> {
        let local = local(passage);
        let steered = to_server - timeline.added(local);
        let took = passage.received - passage.sent - passage.correction;
        let value = match passage.direction {
            Direction::FromServer => nanos(took + steered - self.base) - asymmetry,
            Direction::ToServer => nanos(took - steered + self.base) + asymmetry,
        };
        let at = nanos(local + steered - self.epoch) * 1e-9;
        self.estimator.take(Leg { direction: passage.direction, at, value })
    }

    /// What is known at `now`: the time on the estimator's scale (s) and the estimate, whose offset is that of the clock as
    /// it is steered; `None` before the first exchange.
    pub(super) fn estimate(
        &self,
        now: Instant,
        timeline: &Timeline,
        to_server: Interval,
    ) -> Option<(f64, Estimate)> {
        let local = timeline.reading(now)?;
        let added = timeline.added(local);
        let at = nanos(local + (to_server - added) - self.epoch) * 1e-9;
        let mut estimate = self.estimator.estimate(at)?;
        estimate.offset_ns += nanos(self.base + added);
        Some((at, estimate))
    }
}

/// The stamp of our own clock.
fn local(passage: &Passage) -> Timestamp {
    match passage.direction {
        Direction::FromServer => passage.received,
        Direction::ToServer => passage.sent,
    }
}
