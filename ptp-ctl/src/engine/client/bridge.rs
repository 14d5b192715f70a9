//! From one server's time to another's without a step.

use crate::engine::Instant;

/// How far the time that the clock is steered to still is from that of the server in use.
///
/// At a switch the difference between the two servers is known, since both were measured. The clock goes on by the old time, and
/// the difference is taken back at a bounded rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bridge {
    /// What was left at `at`, ns: positive while the clock is ahead of the server in use.
    left_ns: f64,
    at: Instant,
    rate_ppb: f64,
}

impl Bridge {
    /// Nothing to bridge; later differences are taken back at `rate_ppb`, ns/s.
    pub(super) fn new(now: Instant, rate_ppb: f64) -> Self {
        Self { left_ns: 0.0, at: now, rate_ppb }
    }

    /// The clock, as it is steered, is ahead of the server in use by so much, ns.
    pub(super) fn begin(&mut self, now: Instant, difference_ns: f64) {
        (self.left_ns, self.at) = (difference_ns, now);
    }

    /// What is left of the difference, ns.
    pub(super) fn left(&self, now: Instant) -> f64 {
        let taken_back = now.since(self.at).as_secs_f64() * self.rate_ppb;
        self.left_ns.signum() * (self.left_ns.abs() - taken_back).max(0.0)
    }
}

#[cfg(test)]
mod tests;
