//! By how much packets of one direction take longer than the shortest ones.

use super::tail::{Below, LN_SQRT_TAU};

/// Scales of the two exponentials to begin with, relative to the path delay.
const FIRST_SCALES: [f64; 2] = [0.3, 3.0];
/// Width of the bulk to begin with, likewise.
const FIRST_WIDTH: f64 = 0.3;
/// Scale and width are no more than so many times what the longest of the first round trips is above the shortest: where nothing
/// is delayed that is known at once.
const SPREADS: f64 = 10.0;
/// Smallest scale and width, ns.
const SMALLEST_SCALE: f64 = 1.0;
/// The larger scale is at least so many times the smaller one: else the two are one.
const APART: f64 = 4.0;
/// Shares of the two, and of the bulk, where it has just become busy.
const BUSY_SHARES: [f64; 2] = [0.4, 0.4];
const BUSY_BULK_SHARE: f64 = 0.2;
/// Shares that the two never fall below: what is gone may come back.
const LEAST_SHARES: [f64; 2] = [0.05, 0.003];
/// The same for the bulk.
const LEAST_BULK_SHARE: f64 = 0.01;
/// Share of packets about which nothing is said: wrong stamps, and earlier than is possible.
const STRAY_SHARES: std::ops::RangeInclusive<f64> = 1e-5..=1e-2;
/// ln of the density of those: anywhere within a second, 1/ns.
const LN_STRAY_DENSITY: f64 = -20.723_265_836_946_41;
/// Packets after which the first guess counts no more than what was learned since.
const GUESS: f64 = 2.0;
/// The same for the shares.
const GUESS_SHARES: f64 = 10.0;
/// How much the other direction counts: where the scales cannot be told from noise they must at least be equal.
const TIE: f64 = 0.2;
/// How many packets of the past count: load comes and goes.
const MEMORY: f64 = 500.0;

/// The excess as a mixture of distributions, all learned. Two are exponential: of the packets that queued little, and of
/// those that queued long. They only ever delay, which is what makes the shortest packets precise. One is normal: the
/// bulk, for a way so busy that hardly a packet meets no other. Where it is, is part of the filter's state, for it
/// tells the offset only as far as the bulks of both directions are known to be alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Excess {
    /// Means of the two, ns.
    scales: [f64; 2],
    /// Packets that each was learned from.
    counts: [f64; 2],
    shares: [f64; 2],
    /// Standard deviation of the bulk, ns.
    width: f64,
    /// Packets that it was learned from.
    bulk_count: f64,
    bulk_share: f64,
    stray_share: f64,
    count: f64,
}

/// What was observed, against what was expected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surprise {
    /// ns.
    pub(super) value: f64,
    /// Expected square of it, ns².
    pub(super) variance: f64,
}

impl Surprise {
    /// ln of the normal density, 1/ns.
    fn ln_density(self) -> f64 {
        -0.5 * (self.value * self.value / self.variance + self.variance.ln()) - LN_SQRT_TAU
    }
}

/// What a packet says of the shortest delay, if it is not of the bulk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posterior {
    /// Mean, relative to what was expected, ns.
    pub(super) mean: f64,
    /// Variance, ns².
    pub(super) variance: f64,
    /// ln of the density of what was observed, 1/ns.
    pub(super) ln_likelihood: f64,
    /// How many standard deviations too early it is.
    pub(super) lead: f64,
    /// How probably it belongs to the bulk.
    pub(super) bulk: f64,
    /// How probably the packet says nothing at all.
    pub(super) stray: f64,
}

impl Excess {
    /// Nothing is known but how long a packet takes, ns.
    pub(super) fn new(delay: f64) -> Self {
        Self {
            scales: FIRST_SCALES.map(|factor| factor * delay),
            counts: [0.0; 2],
            shares: [0.6, 0.1],
            width: FIRST_WIDTH * delay,
            bulk_count: 0.0,
            bulk_share: 0.3,
            stray_share: 1e-3,
            count: 0.0,
        }
    }

    /// What was learned is a first guess from here on; it is not far above what round trips scatter by at the most, ns.
    pub(super) fn as_guess(mut self, most: f64) -> Self {
        let most = (SPREADS * most).max(SMALLEST_SCALE);
        self.scales =
            [self.scales[0].min(most), self.scales[1].min(most * FIRST_SCALES[1] / FIRST_SCALES[0])];
        self.width = self.width.min(most);
        self.counts = [GUESS; 2];
        self.bulk_count = GUESS;
        self.count = 0.0;
        self
    }

    /// Nothing is known any more but that packets take longer than the shortest by about `size` ns.
    pub(super) fn busier(self, size: f64) -> Self {
        let scale = size.max(self.scales[0]);
        Self {
            scales: [scale, APART * scale],
            counts: [0.0; 2],
            shares: BUSY_SHARES,
            width: scale,
            bulk_count: 0.0,
            bulk_share: BUSY_BULK_SHARE,
            count: 0.0,
            ..self
        }
    }

    /// Mean of the packets that queued little, ns.
    pub(super) fn scale(&self) -> f64 {
        self.scales[0]
    }

    /// Share of the packets that are the bulk.
    pub(super) fn bulk_share(&self) -> f64 {
        self.bulk_share
    }

    /// Standard deviation of the bulk, ns.
    pub(super) fn width(&self) -> f64 {
        self.width
    }

    /// Share of packets that take longer than the shortest by more than `excess` ns; the bulk does by `bulk` ns.
    pub(super) fn survival(&self, excess: f64, bulk: f64) -> f64 {
        let queued = |k: usize| self.shares[k] * (-excess / self.scales[k]).exp();
        let bulk = self.bulk_share * Below::new((bulk - excess) / self.width).ln_probability.exp();
        queued(0) + queued(1) + bulk
    }

    /// A packet came this much after the shortest was expected, and after the bulk was. `other` is the scale of the other
    /// direction, `stamps` the standard deviation of stamps, both ns.
    ///
    /// For each exponential the posterior is a normal distribution cut off at the observation; together they are
    /// described by their common mean and variance.
    pub(super) fn weigh(&mut self, shortest: Surprise, bulk: Surprise, other: f64, stamps: f64) -> Posterior {
        let Surprise { value: excess, variance } = shortest;
        let deviation = variance.sqrt();
        let mut ln_weights = [0.0; 4];
        let mut parts = [(0.0, variance); 3];
        for k in 0..2 {
            let scale = self.scales[k];
            let shift = deviation / scale;
            let bound = excess / deviation - shift;
            let below = Below::new(bound);
            ln_weights[k] =
                (self.shares[k] / scale).ln() - excess / scale + 0.5 * shift * shift + below.ln_probability;
            parts[k] = (deviation * (shift + below.mean), variance * below.variance);
        }
        ln_weights[2] = self.stray_share.ln() + LN_STRAY_DENSITY;
        ln_weights[3] = self.bulk_share.ln() + bulk.ln_density();

        let largest = ln_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut weights = ln_weights.map(|weight| (weight - largest).exp());
        let sum: f64 = weights.iter().sum();
        weights = weights.map(|weight| weight / sum);
        let rest = weights[..3].iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mean: f64 = weights.iter().zip(&parts).map(|(weight, part)| weight / rest * part.0).sum();
        let spread = |(weight, part): (&f64, &(f64, f64))| weight / rest * (part.1 + (part.0 - mean).powi(2));
        let variance = weights.iter().zip(&parts).map(spread).sum::<f64>().min(variance);

        self.learn(weights, parts.map(|part| (excess - part.0).max(0.0)), bulk, other, stamps);
        let lead = -excess / deviation;
        Posterior {
            mean,
            variance,
            ln_likelihood: largest + sum.ln(),
            lead,
            bulk: weights[3],
            stray: weights[2],
        }
    }

    /// One step of expectation maximisation: the packet belongs to each part with this weight, and took so much longer
    /// than the shortest if it does.
    fn learn(&mut self, weights: [f64; 4], excesses: [f64; 3], bulk: Surprise, other: f64, stamps: f64) {
        self.count += 1.0;
        let rate = (1.0 / (self.count + GUESS_SHARES)).max(1.0 / MEMORY);
        for k in 0..2 {
            self.counts[k] = (self.counts[k] + weights[k]).min(MEMORY);
            let gain = (GUESS / (self.counts[k] + 2.0 * GUESS)).max(1.0 / MEMORY);
            self.scales[k] += weights[k] * gain * (excesses[k] - self.scales[k]);
            self.shares[k] = (self.shares[k] + rate * (weights[k] - self.shares[k])).max(LEAST_SHARES[k]);
        }
        let gain = (GUESS / (self.counts[0] + 2.0 * GUESS)).max(1.0 / MEMORY);
        self.scales[0] +=
            TIE * gain / (1.0 + (self.scales[0] / (2.0 * stamps)).powi(2)) * (other - self.scales[0]);
        self.scales[0] = self.scales[0].max(SMALLEST_SCALE);
        self.scales[1] = self.scales[1].max(APART * self.scales[0]);
        let square = self.width * self.width;
        let share = square / bulk.variance;
        // What is to be expected of the square of its distance from the bulk's mean.
        let observed = (bulk.value * share).powi(2) + square * (1.0 - share);
        self.bulk_count = (self.bulk_count + weights[3]).min(MEMORY);
        let gain = (GUESS / (self.bulk_count + 2.0 * GUESS)).max(1.0 / MEMORY);
        self.width = (square + weights[3] * gain * (observed - square)).sqrt().max(SMALLEST_SCALE);
        self.bulk_share = (self.bulk_share + rate * (weights[3] - self.bulk_share)).max(LEAST_BULK_SHARE);
        let stray = self.stray_share + rate * (weights[2] - self.stray_share);
        self.stray_share = stray.clamp(*STRAY_SHARES.start(), *STRAY_SHARES.end());
    }
}
