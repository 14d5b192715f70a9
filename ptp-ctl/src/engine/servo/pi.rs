use super::{Decision, Measurement, Servo};
use crate::engine::config::ServoConfig;
use ptp_common::time::Timestamp;

/// Shortest time over which the first frequency is measured, s.
const FREQUENCY_SPAN: f64 = 0.45;
/// Fewest measurements for it.
const FREQUENCY_POINTS: usize = 4;
/// Natural frequency of the loop × time since it was closed, as in a least-squares fit over all of that time: as long
/// as nothing but noise disturbs the clock, nothing settles faster.
const OMEGA_TIME: f64 = 2.4;
/// Natural frequency of the loop when it closes, rad/s: catches what the first frequency missed.
const OMEGA_FIRST: f64 = 2.0;
/// Natural frequency it settles to where stamps are quiet, rad/s.
const OMEGA_LAST: f64 = 0.25;
/// Share of it that is left where they are noisiest: the oscillator's own wander must still be followed.
const OMEGA_NOISY: f64 = 0.3;
/// Noise that counts as quiet, ns.
const QUIET_NS: f64 = 200.0;
/// Largest natural frequency × measurement interval: keeps the sampled loop stable at slow rates.
const OMEGA_STEP: f64 = 0.3;
/// Measurements in a row above the step threshold before the clock is stepped: one may be wrong.
const STEP_CONFIRMATIONS: u32 = 3;
/// Measurements in a row within the noise before the clock counts as locked, or outside before it no longer does.
const LOCK_CONFIRMATIONS: u32 = 4;
/// Once locked, an offset counts for no more than so many times the noise: one that is further out is most likely
/// wrong, and if it is not, the next ones say the same.
const LARGEST_OFFSET: f64 = 2.0;
/// Offsets below so many times the noise are settled.
const LOCK_NOISE: f64 = 4.0;
/// Offsets below this are settled whatever the noise, ns.
const LOCK_OFFSET_NS: f64 = 2_000.0;
/// A gap after which nothing can be said of the time between, s.
const LONGEST_GAP: f64 = 100.0;

/// Step, measure the frequency, then a critically damped PI loop whose bandwidth narrows as it settles.
#[derive(Debug)]
pub struct PiServo {
    config: ServoConfig,
    stage: Stage,
    /// The integral part: the adjustment that the clock needs, ppb.
    integral_ppb: f64,
    /// The adjustment in force, ppb.
    output_ppb: f64,
    above_threshold: u32,
    locked: bool,
    /// Measurements in a row that contradict `locked`.
    contrary: u32,
}

#[derive(Debug)]
enum Stage {
    /// Nothing measured yet.
    Start,
    /// The clock runs freely while its frequency is measured.
    Frequency { points: Points, stepped: bool },
    /// The loop is closed.
    Closed { since: Timestamp, last: Timestamp },
}

impl PiServo {
    /// A servo that has measured nothing yet; the clock runs at `initial_frequency_ppb`.
    pub fn new(config: ServoConfig) -> Self {
        Self {
            stage: Stage::Start,
            integral_ppb: config.initial_frequency_ppb,
            output_ppb: config.initial_frequency_ppb,
            above_threshold: 0,
            locked: false,
            contrary: 0,
            config,
        }
    }

    fn clamp(&self, ppb: f64) -> f64 {
        ppb.clamp(-self.config.max_frequency_ppb, self.config.max_frequency_ppb)
    }

    fn slew(&mut self, ppb: f64) -> Decision {
        self.output_ppb = self.clamp(ppb);
        Decision::Slew { frequency_ppb: self.output_ppb }
    }

    fn step(&mut self, offset_ns: f64) -> Decision {
        self.output_ppb = self.integral_ppb;
        Decision::Step { offset_ns: offset_ns.round() as i64, frequency_ppb: self.integral_ppb }
    }

    fn start(&mut self, measurement: Measurement) -> Decision {
        let stepped = measurement.offset_ns.abs() > self.config.first_step_threshold_ns as f64;
        self.stage = Stage::Frequency { points: Points::default(), stepped };
        if stepped { self.step(measurement.offset_ns) } else { self.slew(self.integral_ppb) }
    }

    /// The first measurement of the closed loop: `points` say what the frequency was and what is left of the offset.
    fn close(
        &mut self,
        points: &Points,
        stepped: bool,
        Measurement { at, end, .. }: Measurement,
    ) -> Decision {
        let (slope_ppb, offset_ns) = points.fit(end);
        self.integral_ppb = self.clamp(self.integral_ppb - slope_ppb);
        self.stage = Stage::Closed { since: at, last: at };
        // Who stepped a moment ago may do so again; a clock that was right from the start is only slewed.
        if stepped { self.step(offset_ns) } else { self.slew(self.integral_ppb) }
    }

    fn track(&mut self, measurement: Measurement, since: Timestamp, last: Timestamp) -> Decision {
        let offset_ns = measurement.offset_ns;
        let interval = seconds(measurement.at, last);
        if interval <= 0.0 || interval > LONGEST_GAP {
            self.restart();
            return self.start(measurement);
        }
        let threshold = self.config.step_threshold_ns as f64;
        if threshold > 0.0 && offset_ns.abs() > threshold {
            self.above_threshold += 1;
            if self.above_threshold < STEP_CONFIRMATIONS {
                return Decision::Hold;
            }
            self.restart();
            return self.start(measurement);
        }
        self.above_threshold = 0;
        let was_locked = self.locked;
        self.judge(&measurement);
        // Out of step: something has changed, and what was learned before counts for less.
        let since = if was_locked && !self.locked { measurement.at } else { since };
        self.stage = Stage::Closed { since, last: measurement.at };

        let noise_ns = measurement.noise_ns;
        let limit = if self.locked { LOCK_OFFSET_NS.max(LARGEST_OFFSET * noise_ns) } else { f64::INFINITY };
        let offset_ns = offset_ns.clamp(-limit, limit);
        let settled = OMEGA_LAST * (QUIET_NS / noise_ns).sqrt().clamp(OMEGA_NOISY, 1.0);
        let settling = OMEGA_TIME / (seconds(measurement.at, since) + OMEGA_TIME / OMEGA_FIRST);
        let omega = settling.max(settled).min(OMEGA_STEP / interval);
        self.integral_ppb = self.clamp(self.integral_ppb - omega * omega * interval * offset_ns);
        self.slew(self.integral_ppb - 2.0 * omega * offset_ns)
    }

    /// Locked or not: by several measurements in a row that contradict what was so far.
    fn judge(&mut self, measurement: &Measurement) {
        let within = measurement.offset_ns.abs() < LOCK_OFFSET_NS.max(LOCK_NOISE * measurement.noise_ns);
        self.contrary = if within == self.locked { 0 } else { self.contrary + 1 };
        if self.contrary >= LOCK_CONFIRMATIONS {
            self.locked = within;
            self.contrary = 0;
        }
    }
}

impl Servo for PiServo {
    fn update(&mut self, measurement: Measurement) -> Decision {
        match &mut self.stage {
            Stage::Start => self.start(measurement),
            Stage::Frequency { points, stepped } => {
                points.push(measurement.at, measurement.offset_ns);
                if !points.suffice() {
                    return Decision::Slew { frequency_ppb: self.output_ppb };
                }
                let (points, stepped) = (std::mem::take(points), *stepped);
                self.close(&points, stepped, measurement)
            }
            Stage::Closed { since, last } => {
                let (since, last) = (*since, *last);
                self.track(measurement, since, last)
            }
        }
    }

    fn restart(&mut self) {
        self.stage = Stage::Start;
        self.above_threshold = 0;
        self.locked = false;
        self.contrary = 0;
    }

    fn frequency_ppb(&self) -> f64 {
        self.output_ppb
    }

    fn rate_error_ppb(&self) -> f64 {
        self.output_ppb - self.integral_ppb
    }

    fn is_locked(&self) -> bool {
        self.locked
    }
}

/// `later` - `earlier`, s.
fn seconds(later: Timestamp, earlier: Timestamp) -> f64 {
    (later - earlier).round_nanos() as f64 * 1e-9
}

/// Offsets over time, as the sums that a straight line through them needs.
#[derive(Debug, Default)]
struct Points {
    first: Option<Timestamp>,
    last: f64,
    count: usize,
    sum_t: f64,
    sum_x: f64,
    sum_tt: f64,
    sum_tx: f64,
}

impl Points {
    fn push(&mut self, at: Timestamp, offset_ns: f64) {
        let first = *self.first.get_or_insert(at);
        let t = seconds(at, first);
        self.last = t;
        self.count += 1;
        self.sum_t += t;
        self.sum_x += offset_ns;
        self.sum_tt += t * t;
        self.sum_tx += t * offset_ns;
    }

    fn suffice(&self) -> bool {
        self.count >= FREQUENCY_POINTS && self.last >= FREQUENCY_SPAN
    }

    /// Least squares: slope in ns/s = ppb, and the line's offset at `at` in ns.
    fn fit(&self, at: Timestamp) -> (f64, f64) {
        let n = self.count as f64;
        let denominator = n * self.sum_tt - self.sum_t * self.sum_t;
        if denominator <= 0.0 {
            return (0.0, self.sum_x / n.max(1.0));
        }
        let slope = (n * self.sum_tx - self.sum_t * self.sum_x) / denominator;
        let intercept = (self.sum_x - slope * self.sum_t) / n;
        let t = self.first.map_or(0.0, |first| seconds(at, first));
        (slope, intercept + slope * t)
    }
}
