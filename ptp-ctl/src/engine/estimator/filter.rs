//! A Kalman filter whose measurements are never too early.

use super::excess::{Excess, Posterior};
use super::{Direction, Leg};

/// Phase, frequency, shortest delay, asymmetry.
const STATES: usize = 4;
type Vector = [f64; STATES];
type Matrix = [Vector; STATES];

/// Offset of the local clock, ns.
const PHASE: usize = 0;
/// How much faster than the server's the local clock is, ns/s = ppb.
const FREQUENCY: usize = 1;
/// Half of the shortest round trip, ns.
const DELAY: usize = 2;
/// (Server to client minus client to server)/2 of the shortest delays, ns.
const ASYMMETRY: usize = 3;

/// What the delay wanders by of itself, ns/√s.
const DELAY_WANDER: f64 = 0.1;
/// The asymmetry is taken for zero to begin with, ns; only a route that changes in one direction alters it.
const FIRST_ASYMMETRY: f64 = 1e-3;
/// The state is not normally distributed where hard limits have shaped it: its variance counts for so much more.
const SHAPE: f64 = 1.3;
/// Share of the variance that a measurement leaves at the least: rounding must not make it negative.
const LEAST_LEFT: f64 = 1e-12;

/// How noisy clocks and stamps are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Noise {
    /// Standard deviation of a stamp, ns.
    pub(super) stamps: f64,
    /// Random walk of the oscillator's frequency, ppb/√s.
    pub(super) wander: f64,
}

/// What is known at one time, under one assumption about the noise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    pub(super) noise: Noise,
    state: Vector,
    covariance: Matrix,
    /// s.
    at: f64,
    excesses: [Excess; 2],
}

impl Filter {
    /// From one leg in each direction and how well the frequency is known, ppb.
    pub(super) fn new(noise: Noise, legs: [Leg; 2], frequency_deviation: f64) -> Self {
        let [from_server, to_server] = legs.map(|leg| leg.value);
        let delay = (from_server + to_server) / 2.0;
        let deviation = delay.abs().max(1_000.0);
        let mut covariance = [[0.0; STATES]; STATES];
        covariance[PHASE][PHASE] = deviation * deviation;
        covariance[FREQUENCY][FREQUENCY] = frequency_deviation * frequency_deviation;
        covariance[DELAY][DELAY] = deviation * deviation;
        covariance[ASYMMETRY][ASYMMETRY] = FIRST_ASYMMETRY * FIRST_ASYMMETRY;
        Self {
            noise,
            state: [(from_server - to_server) / 2.0, 0.0, delay, 0.0],
            covariance,
            at: legs[0].at.min(legs[1].at),
            excesses: [Excess::new(deviation); 2],
        }
    }

    /// The same knowledge under another assumption.
    pub(super) fn with_noise(mut self, noise: Noise) -> Self {
        self.noise = noise;
        self
    }

    /// Begins anew, with what `other` learned of the excesses as a first guess.
    pub(super) fn with_guess(mut self, other: &Self) -> Self {
        self.excesses = other.excesses.map(Excess::as_guess);
        self
    }

    /// By how much a leg takes longer than the shortest is expected to, ns.
    pub(super) fn excess_of(&self, leg: Leg) -> f64 {
        let mut filter = *self;
        filter.predict(leg.at);
        leg.value - dot(&filter.state, &filter.row(leg))
    }

    /// How a leg's value depends on the state; one that is older than the last is put to what the state was then.
    fn row(&self, leg: Leg) -> Vector {
        let age = self.at - leg.at;
        match leg.direction {
            Direction::FromServer => [1.0, -age, 1.0, 1.0],
            Direction::ToServer => [-1.0, age, 1.0, -1.0],
        }
    }

    /// Takes in a leg.
    pub(super) fn update(&mut self, leg: Leg) -> Posterior {
        self.predict(leg.at);
        let row = self.row(leg);
        let spread = self.covariance.map(|line| dot(&line, &row));
        let expected = dot(&self.state, &row);
        let variance = dot(&spread, &row).max(0.0) * SHAPE + self.noise.stamps * self.noise.stamps;
        let other = self.excesses[1 - leg.direction as usize].scale();
        let posterior = self.excesses[leg.direction as usize].weigh(
            leg.value - expected,
            variance,
            other,
            self.noise.stamps,
        );
        let left = (posterior.variance / variance).clamp(LEAST_LEFT, 1.0);
        for i in 0..STATES {
            self.state[i] += spread[i] / variance * posterior.mean;
            for j in 0..=i {
                let covariance = self.covariance[i][j] - (1.0 - left) / variance * spread[i] * spread[j];
                // Kept symmetric: rounding that is not the same on both sides grows.
                (self.covariance[i][j], self.covariance[j][i]) = (covariance, covariance);
            }
        }
        posterior
    }

    /// Lets time pass.
    fn predict(&mut self, at: f64) {
        let dt = at - self.at;
        if dt <= 0.0 {
            return;
        }
        self.at = at;
        let (state, p) = (&mut self.state, &mut self.covariance);
        state[PHASE] += state[FREQUENCY] * dt;
        let frequency = p[FREQUENCY];
        for (phase, frequency) in p[PHASE].iter_mut().zip(frequency) {
            *phase += dt * frequency;
        }
        for line in p.iter_mut() {
            line[PHASE] += dt * line[FREQUENCY];
        }
        let wander = self.noise.wander * self.noise.wander;
        p[PHASE][PHASE] += wander * dt * dt * dt / 3.0;
        p[PHASE][FREQUENCY] += wander * dt * dt / 2.0;
        p[FREQUENCY][PHASE] += wander * dt * dt / 2.0;
        p[FREQUENCY][FREQUENCY] += wander * dt;
        p[DELAY][DELAY] += DELAY_WANDER * DELAY_WANDER * dt;
    }

    /// Everything is less certain than it seemed, by this factor of the variance; but the asymmetry, which is an
    /// assumption and not a result.
    pub(super) fn doubt(&mut self, factor: f64) {
        let mut scale = [factor.sqrt(); STATES];
        scale[ASYMMETRY] = 1.0;
        for i in 0..STATES {
            for j in 0..STATES {
                self.covariance[i][j] *= scale[i] * scale[j];
            }
        }
    }

    /// The shortest delay of one direction may have changed by about `deviation` ns.
    pub(super) fn reroute(&mut self, direction: Direction, deviation: f64) {
        let variance = deviation * deviation / 4.0;
        let sign = if direction == Direction::FromServer { 1.0 } else { -1.0 };
        let p = &mut self.covariance;
        p[DELAY][DELAY] += variance;
        p[ASYMMETRY][ASYMMETRY] += variance;
        p[DELAY][ASYMMETRY] += sign * variance;
        p[ASYMMETRY][DELAY] += sign * variance;
    }

    /// The phase may have changed by about `deviation` ns.
    pub(super) fn jump(&mut self, deviation: f64) {
        self.covariance[PHASE][PHASE] += deviation * deviation;
    }

    /// Phase at `at` (s) and its standard deviation, ns.
    pub(super) fn phase(&self, at: f64) -> (f64, f64) {
        let mut ahead = *self;
        ahead.predict(at);
        (ahead.state[PHASE], ahead.covariance[PHASE][PHASE].max(0.0).sqrt())
    }

    /// Frequency and its standard deviation, ppb.
    pub(super) fn frequency(&self) -> (f64, f64) {
        (self.state[FREQUENCY], self.covariance[FREQUENCY][FREQUENCY].max(0.0).sqrt())
    }

    /// Shortest delay, the mean of both directions, ns.
    pub(super) fn delay(&self) -> f64 {
        self.state[DELAY]
    }

    /// Mean of the small excesses of a direction, ns.
    pub(super) fn excess(&self, direction: Direction) -> &Excess {
        &self.excesses[direction as usize]
    }
}

fn dot(a: &Vector, b: &Vector) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
