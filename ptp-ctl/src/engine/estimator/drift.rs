//! How steadily the frequency drifts: by age, or by a temperature that rises for hours. It tells where the clock goes while nothing
//! comes; while packets come they tell it better.

/// Time between two frequencies that are compared, s.
const INTERVAL: f64 = 16.0;
/// What a drift is expected to be before anything is known, ppb/s: some hundred ppb in a day of temperature.
const EXPECTED: f64 = 0.01;
/// A drift is another one after this time, s.
const MEMORY: f64 = 3_600.0;

/// A Kalman filter for the drift alone. What the frequency walked between two times is its measurement, and how much an
/// oscillator walks at random is the noise of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drift {
    /// ppb/s.
    mean: f64,
    variance: f64,
    last: Option<Frequency>,
}

/// A frequency as the filter knew it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frequency {
    /// s.
    pub(super) at: f64,
    /// ppb.
    pub(super) mean: f64,
    /// ppb.
    pub(super) deviation: f64,
}

impl Default for Drift {
    fn default() -> Self {
        Self { mean: 0.0, variance: EXPECTED * EXPECTED, last: None }
    }
}

impl Drift {
    /// Takes in the frequency now and then; `wander` is its random walk, ppb/√s.
    pub(super) fn update(&mut self, frequency: Frequency, wander: f64) {
        let Some(last) = self.last else {
            self.last = Some(frequency);
            return;
        };
        let elapsed = frequency.at - last.at;
        if elapsed < INTERVAL {
            return;
        }
        self.last = Some(frequency);
        let keep = (-elapsed / MEMORY).exp();
        self.mean *= keep;
        self.variance = self.variance * keep * keep + EXPECTED * EXPECTED * (1.0 - keep * keep);
        let noise = wander * wander / elapsed
            + (frequency.deviation.powi(2) + last.deviation.powi(2)) / (elapsed * elapsed);
        let gain = self.variance / (self.variance + noise);
        self.mean += gain * ((frequency.mean - last.mean) / elapsed - self.mean);
        self.variance *= 1.0 - gain;
    }

    /// The frequencies of before cannot be compared with those to come.
    pub(super) fn interrupt(&mut self) {
        self.last = None;
    }

    /// Mean and standard deviation, ppb/s.
    pub(super) fn rate(&self) -> (f64, f64) {
        (self.mean, self.variance.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frequency that drifts by `rate` (ppb/s) and walks by `wander` (ppb/√s), for a number of seconds.
    fn drifted(rate: f64, wander: f64, seconds: u32) -> Drift {
        let mut random = fastrand::Rng::with_seed(1);
        let (mut drift, mut frequency) = (Drift::default(), 0.0);
        for second in 0..seconds {
            drift.update(Frequency { at: second.into(), mean: frequency, deviation: 0.1 }, wander);
            // Uniform, of this standard deviation.
            frequency += rate + wander * 12_f64.sqrt() * (random.f64() - 0.5);
        }
        drift
    }

    #[test]
    fn a_steady_drift_is_found() {
        let (mean, deviation) = drifted(0.01, 0.05, 3_600).rate();
        assert!((mean - 0.01).abs() < 3.0 * deviation && deviation < 0.005, "{mean} +- {deviation}");
    }

    #[test]
    fn a_walk_is_no_drift() {
        let (mean, deviation) = drifted(0.0, 3.0, 3_600).rate();
        assert!(mean.abs() < 0.003 && deviation > 0.9 * EXPECTED, "{mean} +- {deviation}");
    }
}
