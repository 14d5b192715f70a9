//! Holdover: no server can be followed, and the time of the last one is kept by what is known of our own clock.

use super::{Client, State};
use crate::engine::Instant;
use crate::engine::estimator::Estimate;
use ptp_common::time::Interval;
use std::time::Duration;

/// How often the clock is steered meanwhile: its frequency goes on drifting as it did.
const INTERVAL: Duration = Duration::from_secs(1);

/// Whose time is kept, and what brings a local reading into its timescale: what it announced may be forgotten by now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reference {
    pub(super) index: usize,
    pub(super) local_to_server: Interval,
}

impl Client {
    /// What is known of the clock: by the packets of the server in use, or by those of the last one.
    pub(super) fn reference_estimate(&self, now: Instant) -> Option<(f64, Estimate)> {
        let Reference { index, local_to_server } = self.reference?;
        self.estimate(now, index, local_to_server)
    }

    /// Time to steer without a server, if there is none.
    pub(super) fn hold_over(&mut self, now: Instant) {
        if self.holdover_at.is_none_or(|at| at > now) {
            return;
        }
        self.holdover_at = None;
        if self.state == State::Holdover
            && let Some((at, estimate)) = self.reference_estimate(now)
            && self.steer_by(now, at, &estimate)
        {
            self.holdover_at = Some(now + INTERVAL);
        }
    }

    /// From here on there is no server.
    pub(super) fn begin_holdover(&mut self, now: Instant) {
        self.holdover_at = (self.state == State::Holdover).then(|| now + INTERVAL);
    }
}
