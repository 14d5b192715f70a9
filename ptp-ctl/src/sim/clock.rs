/// A clock with a constant frequency error that can be steered.
#[derive(Clone, Copy, Debug)]
pub struct Oscillator {
    /// True time at which `error_ns` held, ns.
    anchor: u64,
    /// Reading minus truth there, ns.
    error_ns: f64,
    /// What the oscillator does of itself, ppb.
    inherent_ppb: f64,
    /// What it is steered by, ppb.
    adjustment_ppb: f64,
}

impl Oscillator {
    /// A clock that is never wrong.
    pub const PERFECT: Self = Self::new(0.0, 0.0);

    /// A clock that starts `error_ns` ahead and runs `inherent_ppb` fast.
    pub const fn new(error_ns: f64, inherent_ppb: f64) -> Self {
        Self { anchor: 0, error_ns, inherent_ppb, adjustment_ppb: 0.0 }
    }

    /// Reading minus truth at the true time `now`, ns.
    pub(super) fn error_ns(&self, now: u64) -> f64 {
        let elapsed = now.saturating_sub(self.anchor) as f64;
        self.error_ns + elapsed * (self.inherent_ppb + self.adjustment_ppb) * 1e-9
    }

    pub(super) fn adjust(&mut self, now: u64, ppb: f64) {
        self.error_ns = self.error_ns(now);
        self.anchor = now;
        self.adjustment_ppb = ppb;
    }

    pub(super) fn step(&mut self, now: u64, by_ns: i64) {
        self.error_ns = self.error_ns(now) + by_ns as f64;
        self.anchor = now;
    }
}
