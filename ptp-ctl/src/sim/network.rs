use std::time::Duration;

/// How long a packet takes.
#[derive(Clone, Copy, Debug)]
pub struct Delay {
    /// Every packet takes this long at least.
    pub constant: Duration,
    /// Mean of an exponentially distributed extra.
    pub exponential: Duration,
}

/// One way through the network.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// How long packets take; each is drawn on its own, so they may overtake each other.
    pub delay: Delay,
    /// Share that gets lost, 0 to 1.
    pub loss: f64,
    /// Share that arrives twice, 0 to 1.
    pub duplication: f64,
}

impl Default for Path {
    /// 10 µs, nothing else.
    fn default() -> Self {
        let delay = Delay { constant: Duration::from_micros(10), exponential: Duration::ZERO };
        Self { delay, loss: 0.0, duplication: 0.0 }
    }
}

impl Path {
    /// A way that nothing gets through.
    pub fn broken() -> Self {
        Self { loss: 1.0, ..Self::default() }
    }

    /// The delays after which a packet arrives, ns: none, one or two.
    pub(super) fn arrivals(&self, random: &mut fastrand::Rng, arrivals: &mut Vec<u64>) {
        if random.f64() < self.loss {
            return;
        }
        let copies = if random.f64() < self.duplication { 2 } else { 1 };
        for _ in 0..copies {
            // 1 - f64() is in (0, 1]: the logarithm is finite.
            let extra = -(1.0 - random.f64()).ln() * self.delay.exponential.as_nanos() as f64;
            arrivals.push(self.delay.constant.as_nanos() as u64 + extra as u64);
        }
    }
}
