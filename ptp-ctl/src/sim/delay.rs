use super::random;
use super::trace::Trace;
use serde::Deserialize;
use std::time::Duration;

/// How long packets take: the sum of its terms, drawn anew for each packet, and never below zero.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Delay {
    pub(super) terms: Vec<Term>,
}

/// A part of a delay. All times are ns.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Term {
    /// Always the same.
    Constant(f64),
    /// Exponential with this mean.
    Exponential(f64),
    /// Normal.
    Normal(Normal),
    /// Uniform.
    Uniform(Range),
    /// Gamma: a chain of `shape` queues.
    Gamma(Shape),
    /// Pareto: at least `scale`, and now and then very much more.
    Pareto(Shape),
    /// One of several, by chance.
    Mixture(Vec<Share>),
    /// The longest of several.
    Max(Vec<Delay>),
    /// Another delay, held between two bounds.
    Clip(Clip),
    /// Another delay, multiplied by the load of the path at the time.
    Loaded(Delay),
    /// The wait behind other packets (M/M/1) that take so long each: none at all with a probability of 1 - load, else
    /// exponential with a mean of this divided by (1 - load).
    Queue(f64),
    /// Delays from a file.
    Trace(Trace),
}

/// A normal distribution.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Normal {
    /// Its mean.
    #[serde(default)]
    pub mean: f64,
    /// Its standard deviation.
    pub deviation: f64,
}

/// From one value to another.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Range {
    /// The smallest.
    #[serde(default)]
    pub from: f64,
    /// The largest.
    pub to: f64,
}

/// A distribution by shape and scale.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Shape {
    /// Without unit.
    pub shape: f64,
    /// ns.
    pub scale: f64,
}

/// One of the delays of a mixture.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Share {
    /// How often, in proportion to the weights of the others.
    pub weight: f64,
    /// What.
    pub delay: Delay,
}

/// A delay between two bounds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Clip {
    /// The smallest.
    #[serde(default)]
    pub from: f64,
    /// The largest; none if left out.
    pub to: Option<f64>,
    /// What.
    pub delay: Delay,
}

/// What a draw depends on.
pub(super) struct Draw<'a> {
    pub(super) random: &'a mut fastrand::Rng,
    /// True time since the start, s.
    pub(super) at: f64,
    /// Of the path, 0 to below 1.
    pub(super) load: f64,
    /// Event packets that went this way before.
    pub(super) number: u64,
}

impl Delay {
    /// Always the same.
    pub fn constant(delay: Duration) -> Self {
        Self { terms: vec![Term::Constant(delay.as_nanos() as f64)] }
    }

    /// With an exponentially distributed extra of this mean.
    #[must_use]
    pub fn plus_exponential(mut self, mean: Duration) -> Self {
        self.terms.push(Term::Exponential(mean.as_nanos() as f64));
        self
    }

    /// Longer by a constant, ns.
    #[must_use]
    pub(super) fn plus_constant(mut self, ns: f64) -> Self {
        self.terms.push(Term::Constant(ns));
        self
    }

    /// For one packet, ns.
    pub(super) fn draw(&self, draw: &mut Draw<'_>) -> f64 {
        self.sum(draw).max(0.0)
    }

    fn sum(&self, draw: &mut Draw<'_>) -> f64 {
        self.terms.iter().map(|term| term.draw(draw)).sum()
    }
}

impl Term {
    fn draw(&self, draw: &mut Draw<'_>) -> f64 {
        match self {
            Self::Constant(delay) => *delay,
            Self::Exponential(mean) => mean * random::exponential(draw.random),
            Self::Normal(Normal { mean, deviation }) => mean + deviation * random::normal(draw.random),
            Self::Uniform(Range { from, to }) => from + (to - from) * draw.random.f64(),
            Self::Gamma(Shape { shape, scale }) => scale * random::gamma(draw.random, *shape),
            Self::Pareto(Shape { shape, scale }) => scale * random::pareto(draw.random, *shape),
            Self::Mixture(shares) => {
                let total: f64 = shares.iter().map(|share| share.weight).sum();
                let mut rest = total * draw.random.f64();
                let chosen = shares.iter().find(|share| {
                    rest -= share.weight;
                    rest < 0.0
                });
                // Rounding may leave a rest behind the last one.
                chosen.or(shares.last()).map_or(0.0, |share| share.delay.sum(draw))
            }
            Self::Max(delays) => delays.iter().map(|delay| delay.sum(draw)).fold(f64::MIN, f64::max),
            Self::Clip(Clip { from, to, delay }) => {
                let drawn = delay.sum(draw).max(*from);
                to.map_or(drawn, |to| drawn.min(to))
            }
            Self::Loaded(delay) => draw.load * delay.sum(draw),
            Self::Queue(service) => {
                // Both are always drawn, so that the load alters no draw that follows.
                let (waits, wait) = (draw.random.f64() < draw.load, random::exponential(draw.random));
                if waits { service / (1.0 - draw.load) * wait } else { 0.0 }
            }
            Self::Trace(trace) => trace.delay(draw.at, draw.number),
        }
    }
}

#[cfg(test)]
mod tests;
