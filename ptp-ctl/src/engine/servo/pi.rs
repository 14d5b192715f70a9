use super::{Decision, Measurement, Servo};
use crate::engine::config::ServoConfig;
use crate::engine::quartile::quartile;
use ptp_common::time::Timestamp;

/// Shortest time over which the first frequency is measured, s.
const FREQUENCY_SPAN: f64 = 0.85;
/// Fewest measurements for it.
const FREQUENCY_POINTS: usize = 4;
/// Most measurements for it: as many as come in the shortest time at the highest rate.
const MOST_POINTS: usize = 128;
/// Of the first measurements, those that took longer than the median by more than so many times the distance of the
/// lower quartile are left out.
const HELD_UP: f64 = 1.5;
/// How far back the loop remembers where stamps are quiet, s.
const MEMORY: f64 = 10.0;
/// It remembers so many times longer at most where they are noisy: the oscillator's own wander must be followed.
const MEMORY_NOISY: f64 = 4.0;
/// Noise that counts as quiet, ns.
const QUIET_NS: f64 = 200.0;
/// Time in which an offset is slewed away, s.
const SLEW_TIME: f64 = 0.5;
/// The same in measurement intervals, at the least: keeps the loop stable at slow rates.
const SLEW_INTERVALS: f64 = 4.0;
/// Measurements in a row above the step threshold before the clock is stepped: one may be wrong.
const STEP_CONFIRMATIONS: u32 = 3;
/// Measurements in a row within the noise before the clock counts as locked, or outside before it no longer does.
const LOCK_CONFIRMATIONS: u32 = 4;
/// Measurements that differ from what was expected by less than so many times the noise are settled.
const LOCK_NOISE: f64 = 4.0;
/// They are settled below this whatever the noise, ns.
const LOCK_NS: f64 = 2_000.0;
/// Once locked, a difference counts for no more than so many times the noise: one that is further out is most likely
/// wrong, and if it is not, the next ones say the same.
const LARGEST_DIFFERENCE: f64 = 3.0;
/// A gap after which nothing can be said of the time between, s.
const LONGEST_GAP: f64 = 100.0;

/// Steps, measures the frequency, then closes a PI loop.
///
/// The loop is in observer form: it expects an offset from what it knows of clock and frequency, and corrects both by
/// what the measurement differs. The gains are those of a straight line fitted to all measurements so far, until its
/// memory is full; from there on they are constant, and the older a measurement is the less it counts.
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
    Frequency { points: Vec<Measurement>, stepped: bool },
    /// The loop is closed.
    Closed(Loop),
}

/// What the loop knows besides the frequency.
#[derive(Clone, Copy, Debug)]
struct Loop {
    /// Of the last measurement.
    at: Timestamp,
    /// The offset as of then, ns.
    offset_ns: f64,
    /// Measurements that it rests on.
    count: f64,
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
        self.stage = Stage::Frequency { points: Vec::new(), stepped };
        if stepped { self.step(measurement.offset_ns) } else { self.slew(self.integral_ppb) }
    }

    /// The first decision of the closed loop: `points` say what the frequency was and what is left of the offset.
    fn close(&mut self, points: &[Measurement], stepped: bool, now: &Measurement) -> Decision {
        let (slope_ppb, offset_ns) = fit(points, now.end);
        self.integral_ppb = self.clamp(self.integral_ppb - slope_ppb);
        // Who stepped a moment ago may do so again; a clock that was right from the start is only slewed.
        let left_ns = if stepped { 0.0 } else { offset_ns };
        self.stage = Stage::Closed(Loop { at: now.at, offset_ns: left_ns, count: points.len() as f64 });
        if stepped { self.step(offset_ns) } else { self.slew(self.integral_ppb) }
    }

    fn track(&mut self, measurement: Measurement, known: Loop) -> Decision {
        let interval = seconds(measurement.at, known.at);
        if interval <= 0.0 || interval > LONGEST_GAP {
            self.restart();
            return self.start(measurement);
        }
        let threshold = self.config.step_threshold_ns as f64;
        if threshold > 0.0 && measurement.offset_ns.abs() > threshold {
            self.above_threshold += 1;
            if self.above_threshold < STEP_CONFIRMATIONS {
                return Decision::Hold;
            }
            self.restart();
            return self.start(measurement);
        }
        self.above_threshold = 0;

        let noise_ns = measurement.noise_ns;
        let expected_ns = known.offset_ns + interval * self.rate_error_ppb();
        let difference_ns = measurement.offset_ns - expected_ns;
        let was_locked = self.locked;
        self.judge(difference_ns, noise_ns);
        let memory = MEMORY * (noise_ns / QUIET_NS).sqrt().clamp(1.0, MEMORY_NOISY);
        let most = (memory / interval).max(FREQUENCY_POINTS as f64);
        // Out of step: something has changed, and what was learned before counts for less.
        let count = if was_locked && !self.locked { FREQUENCY_POINTS as f64 } else { known.count };
        let count = (count + 1.0).min(most);
        let limit = if self.locked { LOCK_NS.max(LARGEST_DIFFERENCE * noise_ns) } else { f64::INFINITY };
        let difference_ns = difference_ns.clamp(-limit, limit);

        // The gains of a recursive least-squares fit of a straight line (Bar-Shalom, Li, Kirubarajan: Estimation with
        // Applications to Tracking and Navigation, 6.5).
        let offset_gain = 2.0 * (2.0 * count - 1.0) / (count * (count + 1.0));
        let frequency_gain = 6.0 / (count * (count + 1.0)) / interval;
        let offset_ns = expected_ns + offset_gain * difference_ns;
        self.integral_ppb = self.clamp(self.integral_ppb - frequency_gain * difference_ns);
        self.stage = Stage::Closed(Loop { at: measurement.at, offset_ns, count });
        self.slew(self.integral_ppb - offset_ns / SLEW_TIME.max(SLEW_INTERVALS * interval))
    }

    /// Locked or not: by several measurements in a row that contradict what was so far.
    fn judge(&mut self, difference_ns: f64, noise_ns: f64) {
        let within = difference_ns.abs() < LOCK_NS.max(LOCK_NOISE * noise_ns);
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
                points.push(measurement);
                let span = points.first().map_or(0.0, |first| seconds(measurement.at, first.at));
                if points.len() < FREQUENCY_POINTS || (span < FREQUENCY_SPAN && points.len() < MOST_POINTS) {
                    return Decision::Slew { frequency_ppb: self.output_ppb };
                }
                let (points, stepped) = (std::mem::take(points), *stepped);
                self.close(&undisturbed(&points), stepped, &measurement)
            }
            Stage::Closed(known) => {
                let known = *known;
                self.track(measurement, known)
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

/// Those that were not held up on their way, as seen from all of them: the first measurements had no past to be
/// compared with when they came.
fn undisturbed(points: &[Measurement]) -> Vec<Measurement> {
    let quartile = |quarters| quartile::<MOST_POINTS>(points.iter().map(|point| point.delay_ns), quarters);
    let (median, lower) = (quartile(2), quartile(1));
    let limit = median + HELD_UP * (median - lower).max(QUIET_NS);
    points.iter().copied().filter(|point| point.delay_ns <= limit).collect()
}

/// Least squares: slope in ns/s = ppb, and the line's offset at `end` in ns.
fn fit(points: &[Measurement], end: Timestamp) -> (f64, f64) {
    let n = points.len() as f64;
    let time = |point: &Measurement| seconds(point.at, end);
    let mean_t = points.iter().map(time).sum::<f64>() / n;
    let mean_x = points.iter().map(|point| point.offset_ns).sum::<f64>() / n;
    let covariance: f64 =
        points.iter().map(|point| (time(point) - mean_t) * (point.offset_ns - mean_x)).sum();
    let variance: f64 = points.iter().map(|point| (time(point) - mean_t).powi(2)).sum();
    let slope = if variance > 0.0 { covariance / variance } else { 0.0 };
    (slope, mean_x - slope * mean_t)
}
