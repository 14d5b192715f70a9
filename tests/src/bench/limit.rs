//! How good any estimate of time can be in a scenario.
//!
//! The exact Bayesian filter (by particles: Gordon, Salmond, Smith, 1993), and it is told everything but the time: the shortest
//! delays, how the excess is distributed, how the oscillator walks. A client has to learn all of that. The mean variance that is
//! left is the least mean square error that anything can have that does not look into the future.

use fastrand::Rng;

/// Exchanges in a second.
const RATE: u32 = 8;
/// What a second adds to the frequency, ppb.
const WALK: f64 = 1.0;
/// Seconds until the filter knows all that it can, and how many are measured then.
const SECONDS: [u32; 2] = [200, 5_000];
const PARTICLES: usize = 2_000;
/// Particles are drawn anew when so many of them, as a share, carry the weight.
const RESAMPLE: f64 = 0.5;
const SEED: u64 = 1;

/// By how much the packets of one direction take longer than the shortest.
#[derive(Clone, Copy)]
pub(super) struct Excess {
    /// Exponential with this mean, ns.
    pub(super) mean: f64,
    /// And a wait: so many packets, as a share, have one, uniform up to so long, ns.
    pub(super) wait: (f64, f64),
}

impl Excess {
    pub(super) const fn exponential(mean: f64) -> Self {
        Self { mean, wait: (0.0, 1.0) }
    }

    fn draw(self, random: &mut Rng) -> f64 {
        let (share, longest) = self.wait;
        let wait = if random.f64() < share { longest * random.f64() } else { 0.0 };
        wait + self.mean * exponential(random)
    }

    /// Of this excess, 1/ns.
    fn density(self, excess: f64) -> f64 {
        if excess < 0.0 {
            return 0.0;
        }
        let below = |excess: f64| 1.0 - (-excess.max(0.0) / self.mean).exp();
        let (share, longest) = self.wait;
        let waited = (below(excess) - below(excess - longest)) / longest;
        (1.0 - share) * (-excess / self.mean).exp() / self.mean + share * waited
    }
}

/// A clock that may be the true one: what its phase (ns) and frequency (ppb) differ from the truth by.
#[derive(Clone, Copy)]
struct Particle {
    phase: f64,
    frequency: f64,
    weight: f64,
}

/// Root mean square of the error of the best possible estimate, once a second, with these excesses from and to the server, ns.
pub(super) fn rms_ns(excesses: [Excess; 2]) -> f64 {
    let mut random = Rng::with_seed(SEED);
    let start = excesses[0].mean.min(excesses[1].mean);
    let mut cloud: Vec<Particle> = (0..PARTICLES)
        .map(|_| Particle {
            phase: start * normal(&mut random),
            frequency: 10.0 * WALK * normal(&mut random),
            weight: 1.0,
        })
        .collect();
    let mut total = 0.0;
    for second in 0..SECONDS[0] + SECONDS[1] {
        for _ in 0..RATE {
            let turn = (0.3 + 0.4 * random.f64()) / f64::from(RATE);
            observe(&mut cloud, excesses[0].draw(&mut random), |phase, drawn| {
                excesses[0].density(drawn - phase)
            });
            pass(&mut cloud, turn);
            observe(&mut cloud, excesses[1].draw(&mut random), |phase, drawn| {
                excesses[1].density(drawn + phase)
            });
            pass(&mut cloud, 1.0 / f64::from(RATE) - turn);
            if spread_of_weights(&cloud) < RESAMPLE {
                resample(&mut cloud, &mut random);
            }
        }
        if second >= SECONDS[0] {
            total += variance(&cloud);
        }
        // All else is relative to the truth, which walks as well.
        let walked = WALK * normal(&mut random);
        for particle in &mut cloud {
            particle.frequency += WALK * normal(&mut random) - walked;
        }
    }
    (total / f64::from(SECONDS[1])).sqrt()
}

fn pass(cloud: &mut [Particle], seconds: f64) {
    for particle in cloud {
        particle.phase += particle.frequency * seconds;
    }
}

/// A packet came after `drawn` ns of excess.
fn observe(cloud: &mut [Particle], drawn: f64, density: impl Fn(f64, f64) -> f64) {
    let mut sum = 0.0;
    for particle in cloud.iter_mut() {
        particle.weight *= density(particle.phase, drawn);
        sum += particle.weight;
    }
    for particle in cloud {
        particle.weight /= sum;
    }
}

/// Share of the particles that carry the weight: 1 if all do.
fn spread_of_weights(cloud: &[Particle]) -> f64 {
    let (sum, squares) =
        cloud.iter().fold((0.0, 0.0), |(sum, squares), p| (sum + p.weight, squares + p.weight * p.weight));
    sum * sum / squares / cloud.len() as f64
}

/// As many particles, of equal weight (systematic resampling).
fn resample(cloud: &mut Vec<Particle>, random: &mut Rng) {
    let count = cloud.len();
    let step = cloud.iter().map(|particle| particle.weight).sum::<f64>() / count as f64;
    let mut next = step * random.f64();
    let mut drawn = Vec::with_capacity(count);
    let mut sum = 0.0;
    for particle in cloud.iter() {
        sum += particle.weight;
        while next < sum && drawn.len() < count {
            drawn.push(Particle { weight: 1.0, ..*particle });
            next += step;
        }
    }
    *cloud = drawn;
}

fn variance(cloud: &[Particle]) -> f64 {
    let sum: f64 = cloud.iter().map(|particle| particle.weight).sum();
    let mean = cloud.iter().map(|particle| particle.weight * particle.phase).sum::<f64>() / sum;
    cloud.iter().map(|particle| particle.weight * (particle.phase - mean).powi(2)).sum::<f64>() / sum
}

/// Mean 1.
fn exponential(random: &mut Rng) -> f64 {
    -(1.0 - random.f64()).ln()
}

fn normal(random: &mut Rng) -> f64 {
    (2.0 * exponential(random)).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}
