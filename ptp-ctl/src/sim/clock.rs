use super::random::normal;
use serde::Deserialize;

/// How an oscillator's frequency changes of itself. It is drawn anew every second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Instability {
    /// Standard deviation of what each second has of its own, ppb.
    pub white_noise: f64,
    /// Standard deviation of what a second adds for good, ppb.
    pub random_walk: f64,
    /// ppb per day.
    pub ageing: f64,
    /// What the temperature does.
    pub temperature: Temperature,
}

/// A sine.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Temperature {
    /// ppb.
    pub amplitude: f64,
    /// s.
    pub period: f64,
}

impl Default for Temperature {
    /// None; if there is any, it comes and goes in a day.
    fn default() -> Self {
        Self { amplitude: 0.0, period: 86_400.0 }
    }
}

/// A clock that is wrong in its own way and can be steered.
#[derive(Clone, Copy, Debug)]
pub struct Oscillator {
    /// True time at which `error_ns` held, ns.
    anchor: u64,
    /// Reading minus truth there, ns.
    error_ns: f64,
    /// What the oscillator is off by from the start, ppb.
    inherent_ppb: f64,
    instability: Instability,
    /// What the random walk has come to, ppb.
    walk_ppb: f64,
    /// What the instability makes of the frequency in this second, ppb.
    noise_ppb: f64,
    /// What it is steered by, ppb.
    adjustment_ppb: f64,
}

impl Oscillator {
    /// A clock that is never wrong.
    pub const PERFECT: Self = Self::new(0.0, 0.0);

    /// A clock that starts `error_ns` ahead and runs `inherent_ppb` fast.
    pub const fn new(error_ns: f64, inherent_ppb: f64) -> Self {
        Self {
            anchor: 0,
            error_ns,
            inherent_ppb,
            instability: Instability {
                white_noise: 0.0,
                random_walk: 0.0,
                ageing: 0.0,
                temperature: Temperature { amplitude: 0.0, period: 86_400.0 },
            },
            walk_ppb: 0.0,
            noise_ppb: 0.0,
            adjustment_ppb: 0.0,
        }
    }

    /// The same with a frequency that does not stay.
    #[must_use]
    pub const fn with_instability(mut self, instability: Instability) -> Self {
        self.instability = instability;
        self
    }

    /// Whether [`drift`](Self::drift) does anything.
    pub(super) fn drifts(&self) -> bool {
        self.instability != Instability::default()
    }

    /// Reading minus truth at the true time `now`, ns.
    pub(super) fn error_ns(&self, now: u64) -> f64 {
        let elapsed = now.saturating_sub(self.anchor) as f64;
        self.error_ns + elapsed * (self.inherent_ppb + self.noise_ppb + self.adjustment_ppb) * 1e-9
    }

    /// A second has passed.
    pub(super) fn drift(&mut self, now: u64, random: &mut fastrand::Rng) {
        self.settle(now);
        let Instability { white_noise, random_walk, ageing, temperature } = self.instability;
        let seconds = now as f64 * 1e-9;
        self.walk_ppb += random_walk * normal(random);
        self.noise_ppb = self.walk_ppb
            + white_noise * normal(random)
            + ageing * seconds / 86_400.0
            + temperature.amplitude * (std::f64::consts::TAU * seconds / temperature.period).sin();
    }

    pub(super) fn adjust(&mut self, now: u64, ppb: f64) {
        self.settle(now);
        self.adjustment_ppb = ppb;
    }

    pub(super) fn step(&mut self, now: u64, by_ns: i64) {
        self.settle(now);
        self.error_ns += by_ns as f64;
    }

    fn settle(&mut self, now: u64) {
        self.error_ns = self.error_ns(now);
        self.anchor = now;
    }
}
