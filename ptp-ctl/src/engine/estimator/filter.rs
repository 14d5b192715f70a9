//! A Kalman filter whose measurements are never too early.

use super::drift::Frequency;
use super::excess::{Excess, Posterior, Surprise};
use super::{Direction, Leg};

/// Phase, frequency, shortest delay, asymmetry, and the bulk of either direction.
const STATES: usize = 6;
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

/// By how much the bulk of the packets from the server, and next to it of those to the server, takes longer than the
/// shortest, ns.
const BULKS: usize = 4;

/// Both bulks are about the same: the network is as busy one way as the other, within this share of them.
const BULK_TIE: f64 = 0.02;
/// Time in which they forget how they differed, s.
const BULK_TIME: f64 = 10.0;
/// What both wander by together, as a share of their width, 1/√s.
const BULK_WANDER: f64 = 0.1;
/// Share of the bulk, in the direction where it is smaller, from which on the shortest packets say less, and say nothing:
/// they are too few by then to be told from accidents.
const BUSY: [f64; 2] = [0.3, 0.5];

/// What the delay wanders by of itself, ns/√s.
const DELAY_WANDER: f64 = 0.1;
/// The asymmetry is taken for zero to begin with, ns; only a route that changes in one direction alters it.
const FIRST_ASYMMETRY: f64 = 1e-3;
/// The state is not normally distributed where hard limits have shaped it: its variance counts for so much more.
const SHAPE: f64 = 1.3;
/// A packet that comes so many standard deviations too early shows that they are too small: what follows from the far end of a
/// normal distribution would be much too sure.
const SURE: f64 = 2.5;
/// From so many on it is no matter of that any more, but a stray one or a change.
pub(super) const EARLY: f64 = 5.0;
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

/// A leg under the assumption that it is one of the shortest, or one of the bulk.
struct View {
    /// Covariance of the state with the leg's value.
    spread: Vector,
    surprise: Surprise,
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
        tie(&mut covariance, deviation * deviation, BULK_TIE * deviation);
        Self {
            noise,
            state: [(from_server - to_server) / 2.0, 0.0, delay, 0.0, deviation, deviation],
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

    /// Begins anew, with what `other` learned of the excesses as a first guess. Round trips scatter by `most` ns.
    pub(super) fn with_guess(mut self, other: &Self, most: f64) -> Self {
        self.excesses = other.excesses.map(|excess| excess.as_guess(most));
        let bulk = other.bulk().max(1.0);
        for place in BULKS..STATES {
            self.state[place] = bulk;
            self.covariance[place] = [0.0; STATES];
        }
        tie(&mut self.covariance, bulk * bulk, BULK_TIE * bulk);
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
            Direction::FromServer => [1.0, -age, 1.0, 1.0, 0.0, 0.0],
            Direction::ToServer => [-1.0, age, 1.0, -1.0, 0.0, 0.0],
        }
    }

    /// Takes in a leg.
    pub(super) fn update(&mut self, leg: Leg) -> Posterior {
        self.predict(leg.at);
        let place = leg.direction as usize;
        let stamps = self.noise.stamps * self.noise.stamps;
        let width = self.excesses[place].width();
        let row = self.row(leg);
        let mut bulk_row = row;
        bulk_row[BULKS + place] = 1.0;
        let other = self.excesses[1 - place].scale();
        let before = self.excesses[place];
        let weigh = |filter: &Self, excess: &mut Excess| {
            let shortest = filter.view(leg.value, row, stamps);
            let bulk = filter.view(leg.value, bulk_row, stamps + width * width);
            let posterior = excess.weigh(shortest.surprise, bulk.surprise, other, filter.noise.stamps);
            (shortest, bulk, posterior)
        };
        let mut excess = before;
        let (mut shortest, mut bulk, posterior) = weigh(self, &mut excess);
        let mut taken = posterior;
        if (SURE..EARLY).contains(&posterior.lead) {
            self.widen(&shortest, posterior.lead / SURE);
            (shortest, bulk, taken) = weigh(self, &mut { before });
        }
        self.excesses[place] = excess;
        self.blend(&shortest, &bulk, &taken);
        self.lift_bulk(place);
        posterior
    }

    /// What a leg is expected to be was so many times less certain than it seemed.
    fn widen(&mut self, View { spread, surprise }: &View, factor: f64) {
        let more = (factor * factor - 1.0) * SHAPE / surprise.variance;
        for i in 0..STATES {
            for j in 0..STATES {
                self.covariance[i][j] += more * spread[i] * spread[j];
            }
        }
    }

    /// What a leg of this value is against what was expected of it, with a measurement noise of `noise` ns².
    fn view(&self, value: f64, row: Vector, noise: f64) -> View {
        let spread = self.covariance.map(|line| dot(&line, &row));
        let variance = dot(&spread, &row).max(0.0) * SHAPE + noise;
        View { spread, surprise: Surprise { value: value - dot(&self.state, &row), variance } }
    }

    /// The packet is one of the bulk, or it is not: the mean and the variance of what follows from either.
    fn blend(&mut self, shortest: &View, bulk: &View, posterior: &Posterior) {
        let other = 1.0 - posterior.bulk;
        let busy = self.excesses[0].bulk_share().min(self.excesses[1].bulk_share());
        let trust = 1.0 - ((busy - BUSY[0]) / (BUSY[1] - BUSY[0])).clamp(0.0, 1.0);
        let left = (posterior.variance / shortest.surprise.variance).clamp(LEAST_LEFT, 1.0);
        let less = trust * other * (1.0 - left) / shortest.surprise.variance;
        let bulk_less = posterior.bulk / bulk.surprise.variance;
        let step = shortest.spread.map(|spread| trust * spread / shortest.surprise.variance * posterior.mean);
        let bulk_step = bulk.spread.map(|spread| spread / bulk.surprise.variance * bulk.surprise.value);
        let apart: Vector = std::array::from_fn(|i| step[i] - bulk_step[i]);
        for i in 0..STATES {
            self.state[i] += other * step[i] + posterior.bulk * bulk_step[i];
            for j in 0..=i {
                let covariance = self.covariance[i][j]
                    - less * shortest.spread[i] * shortest.spread[j]
                    - bulk_less * bulk.spread[i] * bulk.spread[j]
                    + other * posterior.bulk * apart[i] * apart[j];
                // Kept symmetric: rounding that is not the same on both sides grows.
                (self.covariance[i][j], self.covariance[j][i]) = (covariance, covariance);
            }
        }
    }

    /// The bulk cannot be before the shortest.
    fn lift_bulk(&mut self, place: usize) {
        let mut row = [0.0; STATES];
        row[BULKS + place] = 1.0;
        let width = self.excesses[place].width();
        let view = self.view(0.0, row, width * width);
        if view.surprise.value > 0.0 {
            self.take(&view);
        }
    }

    /// A Kalman update.
    fn take(&mut self, View { spread, surprise }: &View) {
        for i in 0..STATES {
            self.state[i] += spread[i] / surprise.variance * surprise.value;
            for j in 0..=i {
                let covariance = self.covariance[i][j] - spread[i] * spread[j] / surprise.variance;
                (self.covariance[i][j], self.covariance[j][i]) = (covariance, covariance);
            }
        }
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
        self.relax(dt);
    }

    /// Lets time pass for the bulks: what they differ by fades, what they share wanders.
    fn relax(&mut self, dt: f64) {
        let keep = (-dt / BULK_TIME).exp();
        let (own, swap) = ((1.0 + keep) / 2.0, (1.0 - keep) / 2.0);
        let mix = |line: &mut Vector| {
            let [a, b] = [line[BULKS], line[BULKS + 1]];
            (line[BULKS], line[BULKS + 1]) = (own * a + swap * b, swap * a + own * b);
        };
        mix(&mut self.state);
        self.covariance.iter_mut().for_each(mix);
        for i in 0..STATES {
            let [a, b] = [self.covariance[BULKS][i], self.covariance[BULKS + 1][i]];
            (self.covariance[BULKS][i], self.covariance[BULKS + 1][i]) =
                (own * a + swap * b, swap * a + own * b);
        }
        let width = (self.excesses[0].width() + self.excesses[1].width()) / 2.0;
        let apart = BULK_TIE * self.bulk() * (1.0 - keep * keep).sqrt();
        tie(&mut self.covariance, (BULK_WANDER * width).powi(2) * dt, apart);
    }

    /// Mean of both bulks, ns.
    fn bulk(&self) -> f64 {
        (self.state[BULKS] + self.state[BULKS + 1]) / 2.0
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

    /// The way in one direction may have become busy: packets take longer than the shortest by about `size` ns, which
    /// itself is what it was.
    pub(super) fn load(&mut self, direction: Direction, size: f64) {
        let place = direction as usize;
        self.excesses[place] = self.excesses[place].busier(size);
        let bulk = BULKS + place;
        self.state[bulk] = self.state[bulk].max(size);
        for i in 0..STATES {
            (self.covariance[bulk][i], self.covariance[i][bulk]) = (0.0, 0.0);
        }
        self.covariance[bulk][bulk] = self.state[bulk] * self.state[bulk];
    }

    /// The phase may have changed by about `deviation` ns.
    pub(super) fn jump(&mut self, deviation: f64) {
        self.covariance[PHASE][PHASE] += deviation * deviation;
    }

    /// The frequency may have changed by about `deviation` ppb.
    pub(super) fn rerate(&mut self, deviation: f64) {
        self.covariance[FREQUENCY][FREQUENCY] += deviation * deviation;
    }

    /// What it will know at `at` (s) if nothing comes until then.
    pub(super) fn ahead(mut self, at: f64) -> Self {
        self.predict(at);
        self
    }

    /// Phase and its standard deviation, ns.
    pub(super) fn phase(&self) -> (f64, f64) {
        (self.state[PHASE], self.covariance[PHASE][PHASE].max(0.0).sqrt())
    }

    /// Frequency.
    pub(super) fn frequency(&self) -> Frequency {
        let deviation = self.covariance[FREQUENCY][FREQUENCY].max(0.0).sqrt();
        Frequency { at: self.at, mean: self.state[FREQUENCY], deviation }
    }

    /// Shortest delay, the mean of both directions, ns.
    pub(super) fn delay(&self) -> f64 {
        self.state[DELAY]
    }

    /// (Server to client minus client to server)/2 of the shortest delays, ns.
    pub(super) fn asymmetry(&self) -> f64 {
        self.state[ASYMMETRY]
    }

    /// Share of the packets of a direction that take longer than the shortest by more than `excess` ns.
    pub(super) fn survival(&self, direction: Direction, excess: f64) -> f64 {
        let place = direction as usize;
        self.excesses[place].survival(excess, self.state[BULKS + place])
    }
}

/// The bulks are less certain by `common` ns² together, and by `apart` ns between them.
fn tie(covariance: &mut Matrix, common: f64, apart: f64) {
    let own = apart * apart / 2.0;
    for (place, line) in covariance.iter_mut().enumerate().skip(BULKS) {
        for (other, value) in line.iter_mut().enumerate().skip(BULKS) {
            *value += if place == other { common + own } else { common - own };
        }
    }
}

fn dot(a: &Vector, b: &Vector) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
