use super::{Decision, Measurement, Servo};
use crate::engine::config::ServoConfig;
use arrayvec::ArrayVec;
use ptp_common::time::{Interval, Timestamp};

/// Path delays of which the median is taken: ptp4l's default `delay_filter_length`.
const DELAYS: usize = 10;
/// ptp4l measures the frequency for so long, divided by the integral gain, s.
const FREQUENCY_INTERVAL: f64 = 0.016;
/// No longer than that, s.
const LONGEST_FREQUENCY_INTERVAL: f64 = 1_000.0;
/// A new interval between exchanges counts for so much in their mean.
const INTERVAL_GAIN: f64 = 1.0 / 64.0;
/// Exchanges that are lost do not make the interval longer than so many times the mean.
const LONGEST_GAP: f64 = 2.0;
/// The interval that is assumed before there is a second exchange, s.
const FIRST_INTERVAL: f64 = 1.0;

/// The gains of ptp4l's `pi` servo: scale · interval^exponent, and no more than limit / interval.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Gain {
    scale: f64,
    exponent: f64,
    limit: f64,
}

impl Gain {
    fn at(self, interval: f64) -> f64 {
        (self.scale * interval.powf(self.exponent)).min(self.limit / interval)
    }
}

/// ptp4l's defaults: `pi_proportional_scale` and `pi_integral_scale` for software stamps, then for hardware stamps.
const PROPORTIONAL: [f64; 2] = [0.1, 0.7];
const INTEGRAL: [f64; 2] = [0.001, 0.3];

/// A proportional-integral loop on the offset, with a moving median of the path delay: what ptp4l does by default.
///
/// For comparison. A delay that varies goes into the offset, and its mean is not its median; so it is biased.
#[derive(Debug)]
pub struct PiServo {
    config: ServoConfig,
    proportional: Gain,
    integral: Gain,
    delays: ArrayVec<f64, DELAYS>,
    /// Where the next delay goes once there are enough.
    oldest: usize,
    last: Option<Timestamp>,
    /// Mean interval between exchanges, s.
    interval: Option<f64>,
    phase: Phase,
    /// The clock has been set once.
    set: bool,
    /// The integral: the adjustment that the frequency needs, ppb.
    integral_ppb: f64,
    output_ppb: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Nothing is known.
    Unlocked,
    /// The frequency is being measured since then, from this offset on.
    Measuring { since: Timestamp, offset_ns: f64 },
    /// The loop is closed.
    Locked,
}

impl PiServo {
    /// Knows nothing. `hardware_stamps`: the gains are ptp4l's for these.
    pub fn new(config: ServoConfig, hardware_stamps: bool) -> Self {
        let kind = usize::from(hardware_stamps);
        Self {
            proportional: Gain { scale: PROPORTIONAL[kind], exponent: -0.3, limit: 0.7 },
            integral: Gain { scale: INTEGRAL[kind], exponent: 0.4, limit: 0.3 },
            delays: ArrayVec::new(),
            oldest: 0,
            last: None,
            interval: None,
            phase: Phase::Unlocked,
            set: false,
            integral_ppb: config.initial_frequency_ppb,
            output_ppb: config.initial_frequency_ppb,
            config,
        }
    }

    fn clamp(&self, ppb: f64) -> f64 {
        ppb.clamp(-self.config.max_frequency_ppb, self.config.max_frequency_ppb)
    }

    /// Takes in when an exchange was.
    fn observe(&mut self, at: Timestamp) {
        let gap = self.last.replace(at).map_or(0.0, |last| seconds(at - last));
        if gap > 0.0 {
            let toward = |mean: f64| mean + INTERVAL_GAIN * (gap.min(LONGEST_GAP * mean) - mean);
            self.interval = Some(self.interval.map_or(gap, toward));
        }
    }

    /// A gain at the interval as it is, per second.
    fn gain(&self, gain: Gain) -> f64 {
        gain.at(self.interval.unwrap_or(FIRST_INTERVAL))
    }

    /// Takes in a path delay, ns; the median of those before it.
    ///
    /// ptp4l takes an offset from each Sync, when only delays of earlier exchanges are known.
    fn median(&mut self, delay: f64) -> f64 {
        let mut sorted = self.delays.clone();
        if self.delays.is_full() {
            self.delays[self.oldest] = delay;
            self.oldest = (self.oldest + 1) % DELAYS;
        } else {
            self.delays.push(delay);
        }
        sorted.sort_unstable_by(f64::total_cmp);
        match (sorted.len() / 2, sorted.len() % 2) {
            (0, 0) => delay,
            (middle, 0) => (sorted[middle - 1] + sorted[middle]) / 2.0,
            (middle, _) => sorted[middle],
        }
    }

    /// The frequency has been measured; begins to steer.
    fn begin(&mut self, offset_ns: f64) -> Decision {
        let first = self.config.first_step_threshold_ns as f64;
        let later = self.config.step_threshold_ns as f64;
        let step = !self.set && offset_ns.abs() > first || later > 0.0 && offset_ns.abs() > later;
        self.set = true;
        self.phase = Phase::Locked;
        self.output_ppb = self.integral_ppb;
        match step {
            true => Decision::Step { offset_ns: offset_ns.round() as i64, frequency_ppb: self.output_ppb },
            false => Decision::Slew { frequency_ppb: self.output_ppb },
        }
    }

    fn steer(&mut self, offset_ns: f64) -> Decision {
        let integral = self.gain(self.integral) * offset_ns;
        let wanted = self.integral_ppb - integral - self.gain(self.proportional) * offset_ns;
        self.output_ppb = self.clamp(wanted);
        if self.output_ppb == wanted {
            self.integral_ppb -= integral;
        }
        Decision::Slew { frequency_ppb: self.output_ppb }
    }
}

impl Servo for PiServo {
    fn exchange(&mut self, measurement: Measurement) -> Option<Decision> {
        let Measurement { at, offset_ns, delay_ns, .. } = measurement;
        self.observe(at);
        // What Sync alone tells, less the delay as it usually is.
        let offset_ns = offset_ns + delay_ns - self.median(delay_ns);
        let threshold = self.config.step_threshold_ns as f64;
        Some(match self.phase {
            Phase::Unlocked => {
                self.phase = Phase::Measuring { since: at, offset_ns };
                Decision::Hold
            }
            Phase::Measuring { since, offset_ns: first } => {
                let elapsed = seconds(at - since);
                let needed = FREQUENCY_INTERVAL / self.gain(self.integral);
                if elapsed < needed.min(LONGEST_FREQUENCY_INTERVAL) {
                    return Some(Decision::Hold);
                }
                self.integral_ppb = self.clamp(self.integral_ppb - (offset_ns - first) / elapsed);
                self.begin(offset_ns)
            }
            Phase::Locked if threshold > 0.0 && offset_ns.abs() > threshold => {
                self.phase = Phase::Unlocked;
                Decision::Hold
            }
            Phase::Locked => self.steer(offset_ns),
        })
    }

    fn hold(&mut self) -> Decision {
        self.output_ppb = self.integral_ppb;
        Decision::Slew { frequency_ppb: self.output_ppb }
    }

    fn restart(&mut self) {
        self.phase = Phase::Unlocked;
        self.set = false;
        self.last = None;
        self.delays.clear();
        self.oldest = 0;
    }

    fn frequency_ppb(&self) -> f64 {
        self.output_ppb
    }

    fn rate_error_ppb(&self) -> f64 {
        self.output_ppb - self.integral_ppb
    }

    fn is_locked(&self) -> bool {
        self.phase == Phase::Locked
    }
}

fn seconds(interval: Interval) -> f64 {
    interval.scaled() as f64 / 65_536e9
}

#[cfg(test)]
mod tests;
