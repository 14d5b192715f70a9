//! Several filters side by side, each with another assumption about the noise: what they expect decides.

use super::Leg;
use super::drift::Frequency;
use super::excess::Posterior;
use super::filter::{Filter, Noise};

/// How much the noise of a neighbour differs. The oscillator's is all that holdover has to go by.
const STAMPS_STEP: f64 = 4.0;
const WANDER_STEP: f64 = 2.0;
/// Stamps cannot be better than that, ns: one unit of a good PHC's resolution.
const STAMPS: std::ops::RangeInclusive<f64> = 0.5..=1e5;
/// From an atomic clock to an oscillator in the wind, ppb/√s.
const WANDER: std::ops::RangeInclusive<f64> = 0.05..=50.0;
/// Stamps that are noisier than was thought told less than was thought: the variance is larger by this factor.
const DOUBT: f64 = 4.0;
/// How many legs of the past decide.
const MEMORY: f64 = 4_000.0;
/// A neighbour must be so much more probable (ln) to become the middle.
const MARGIN: f64 = 3.0;
/// One leg decides by no more than this (ln).
const ONE_LEG: f64 = 3.0;

/// The filter in the middle and some with more or less of either noise.
///
/// Each says how probable a leg was before it takes it in. When a neighbour has been right more often for a while, it
/// becomes the middle. So nothing has to be known of stamps and oscillator.
#[derive(Clone, Debug)]
pub(super) struct Bank {
    middle: Filter,
    neighbours: [Neighbour; 4],
}

#[derive(Clone, Copy, Debug)]
struct Neighbour {
    filter: Filter,
    /// ln of how much more probable than the middle it made the legs of late.
    score: f64,
}

/// Phase (ns) and frequency (ppb) of several filters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blend {
    pub(super) phase: Moments,
    pub(super) frequency: Moments,
}

/// A mixture of distributions, by its moments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    weight: f64,
    pub(super) mean: f64,
    variance: f64,
}

impl Moments {
    /// Another one, by its mean and standard deviation.
    fn add(&mut self, weight: f64, (mean, deviation): (f64, f64)) {
        self.weight += weight;
        let share = weight / self.weight;
        let apart = mean - self.mean;
        self.mean += share * apart;
        self.variance += share * (deviation * deviation - self.variance + (1.0 - share) * apart * apart);
    }

    /// Standard deviation.
    pub(super) fn deviation(&self) -> f64 {
        self.variance.max(0.0).sqrt()
    }
}

impl Bank {
    pub(super) fn new(middle: Filter) -> Self {
        let Noise { stamps, wander } = middle.noise;
        let neighbour = |stamps: f64, wander: f64| {
            let noise = Noise {
                stamps: stamps.clamp(*STAMPS.start(), *STAMPS.end()),
                wander: wander.clamp(*WANDER.start(), *WANDER.end()),
            };
            let mut filter = middle.with_noise(noise);
            if noise.stamps > middle.noise.stamps {
                filter.doubt(DOUBT);
            }
            Neighbour { filter, score: 0.0 }
        };
        let neighbours = [
            neighbour(stamps * STAMPS_STEP, wander),
            neighbour(stamps / STAMPS_STEP, wander),
            neighbour(stamps, wander * WANDER_STEP),
            neighbour(stamps, wander / WANDER_STEP),
        ];
        Self { middle, neighbours }
    }

    /// The filter that is right most often.
    pub(super) fn middle(&self) -> &Filter {
        &self.middle
    }

    /// What all filters together expect at `at` (s), each by how probable it is: the noise is not known any better.
    pub(super) fn blend(&self, at: f64) -> Blend {
        let mut blend = Blend { phase: Moments::default(), frequency: Moments::default() };
        let neighbours = self.neighbours.iter().map(|neighbour| (neighbour.score.exp(), neighbour.filter));
        for (weight, filter) in std::iter::once((1.0, self.middle)).chain(neighbours) {
            let ahead = filter.ahead(at);
            let Frequency { mean, deviation, .. } = ahead.frequency();
            blend.phase.add(weight, ahead.phase());
            blend.frequency.add(weight, (mean, deviation));
        }
        blend
    }

    /// Takes in a leg; what the middle makes of it.
    pub(super) fn update(&mut self, leg: Leg) -> Posterior {
        let posterior = self.middle.update(leg);
        for neighbour in &mut self.neighbours {
            let gain = neighbour.filter.update(leg).ln_likelihood - posterior.ln_likelihood;
            neighbour.score += gain.clamp(-ONE_LEG, ONE_LEG) - neighbour.score / MEMORY;
        }
        let best = self.neighbours.iter().max_by(|a, b| a.score.total_cmp(&b.score));
        if let Some(best) = best.filter(|best| best.score > MARGIN) {
            *self = Self::new(best.filter);
        }
        posterior
    }
}
