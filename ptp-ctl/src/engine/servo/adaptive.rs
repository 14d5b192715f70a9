use super::{Decision, Servo, Tracking};
use crate::engine::config::ServoConfig;

/// Time in which an offset is slewed away, s.
const SLEW_TIME: f64 = 0.2;
/// The same in intervals between estimates, at the least: nobody stops the slew in between.
const SLEW_INTERVALS: f64 = 2.0;
/// The clock is not steered more often than this, s.
const SHORTEST_INTERVAL: f64 = 0.06;
/// Estimates in a row that say so before the clock counts as locked.
const LOCK_CONFIRMATIONS: u32 = 8;
/// The frequency must be known that well before it does, ppb.
const LOCK_FREQUENCY_PPB: f64 = 2_000.0;
/// How far from the estimate a locked clock may be beyond the bound of the estimate, ns.
const LOCK_NS: f64 = 200.0;
/// So many times further away it is no longer locked: a slew of a few bounds is part of its work.
const UNLOCK: f64 = 10.0;

/// Brings the clock to where the estimate says that it should be.
///
/// All filtering is done by then: the estimate tells offset and frequency of a clock that nobody steers, so there is no
/// loop that could swing. The frequency is compensated, and what is left of the offset is slewed away in a moment, at no
/// more than the largest slew once it has been locked.
#[derive(Debug)]
pub struct AdaptiveServo {
    config: ServoConfig,
    /// The adjustment in force, ppb.
    output_ppb: f64,
    /// The adjustment that compensates the frequency, ppb.
    compensation_ppb: f64,
    /// The clock was stepped, or needed no step.
    set: bool,
    last: Option<f64>,
    /// The estimate that was last steered by.
    known: Option<Tracking>,
    /// The estimator knows nothing of what was known then.
    begun_anew: bool,
    locked: bool,
    /// It was locked once: from then on it is never slewed faster than allowed.
    arrived: bool,
    /// Estimates in a row that allow to call it locked.
    settled: u32,
}

impl AdaptiveServo {
    /// The clock runs at `initial_frequency_ppb`, and nothing is known.
    pub fn new(config: ServoConfig) -> Self {
        Self {
            output_ppb: config.initial_frequency_ppb,
            compensation_ppb: config.initial_frequency_ppb,
            set: false,
            last: None,
            known: None,
            begun_anew: false,
            locked: false,
            arrived: false,
            settled: 0,
            config,
        }
    }

    fn clamp(&self, ppb: f64) -> f64 {
        ppb.clamp(-self.config.max_frequency_ppb, self.config.max_frequency_ppb)
    }

    fn judge(&mut self, tracking: &Tracking) {
        let reach = tracking.bound_ns + LOCK_NS;
        let offset = tracking.offset_ns.abs();
        if self.locked {
            self.locked = offset <= UNLOCK * reach;
            self.settled = 0;
        } else if offset <= reach && tracking.frequency_bound_ppb <= LOCK_FREQUENCY_PPB {
            self.settled += 1;
            self.locked = self.settled >= LOCK_CONFIRMATIONS;
            self.arrived |= self.locked;
        } else {
            self.settled = 0;
        }
    }

    /// Whether a locked clock is surer by itself, from the last estimate that it was steered by, than by this one, which does
    /// not contradict that: an estimator that began anew has to learn first what is known already.
    fn knows_better(&self, tracking: &Tracking) -> bool {
        let Some(known) = self.known.filter(|_| self.begun_anew && self.locked) else {
            return false;
        };
        let alone = known.bound_ns + known.frequency_bound_ppb * (tracking.at - known.at);
        tracking.bound_ns > alone && tracking.offset_ns.abs() <= tracking.bound_ns + alone
    }

    /// Whether so large an offset is to be stepped away: the first one, and one that is beyond doubt.
    fn wants_step(&self, tracking: &Tracking) -> bool {
        let offset = tracking.offset_ns.abs();
        if self.set {
            let threshold = self.config.step_threshold_ns as f64;
            threshold > 0.0 && offset - tracking.bound_ns > threshold
        } else {
            offset > self.config.first_step_threshold_ns as f64
        }
    }
}

impl Servo for AdaptiveServo {
    fn estimate(&mut self, tracking: Tracking) -> Option<Decision> {
        if self.last.is_some_and(|last| tracking.at < last) {
            // Another estimator's time: how long ago the last one was is not known, but it was just before.
            self.last = None;
            self.begun_anew = true;
            self.known = self.known.map(|known| Tracking { at: tracking.at, ..known });
        }
        if self.knows_better(&tracking) {
            self.last = Some(tracking.at);
            return Some(self.hold());
        }
        self.begun_anew = false;
        self.compensation_ppb = self.clamp(self.config.initial_frequency_ppb - tracking.frequency_ppb);
        if self.wants_step(&tracking) {
            self.set = true;
            self.last = Some(tracking.at);
            self.output_ppb = self.compensation_ppb;
            return Some(Decision::Step {
                offset_ns: tracking.offset_ns.round() as i64,
                frequency_ppb: self.output_ppb,
            });
        }
        self.set = true;
        let interval = self.last.map_or(0.0, |last| tracking.at - last);
        if self.last.is_some() && interval < SHORTEST_INTERVAL {
            return Some(Decision::Hold);
        }
        self.last = Some(tracking.at);
        self.known = Some(tracking);
        self.judge(&tracking);
        let slew = tracking.offset_ns / SLEW_TIME.max(SLEW_INTERVALS * interval);
        let most = if self.arrived { self.config.max_slew_ppb } else { 2.0 * self.config.max_frequency_ppb };
        self.output_ppb = self.clamp(self.compensation_ppb - slew.clamp(-most, most));
        Some(Decision::Slew { frequency_ppb: self.output_ppb })
    }

    fn hold(&mut self) -> Decision {
        self.output_ppb = self.compensation_ppb;
        Decision::Slew { frequency_ppb: self.output_ppb }
    }

    fn restart(&mut self) {
        self.set = false;
        self.last = None;
        self.known = None;
        self.begun_anew = false;
        self.locked = false;
        self.arrived = false;
        self.settled = 0;
    }

    fn frequency_ppb(&self) -> f64 {
        self.output_ppb
    }

    fn rate_error_ppb(&self) -> f64 {
        self.output_ppb - self.compensation_ppb
    }

    fn is_locked(&self) -> bool {
        self.locked
    }
}
