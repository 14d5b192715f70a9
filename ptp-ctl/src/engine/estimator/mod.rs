//! Time from delayed packets: what the local clock's offset and frequency are, and how sure that is.
//!
//! A network without on-path support only ever delays. So each leg of an exchange, Sync one way and Delay_Req the other, is a
//! bound on the offset, and the least delayed ones are the sharpest. [`filter`] is a Kalman filter for such one-sided
//! measurements; what it must know of the network it learns ([`excess`]), what it must know of stamps and
//! oscillator is found by comparison ([`bank`]), and what contradicts everything known is tried out ([`trial`]).
//!
//! `docs/estimator.md` tells what else was tried and what it gave.

mod bank;
mod drift;
mod excess;
mod filter;
mod tail;
mod trial;

use arrayvec::ArrayVec;
use bank::{Bank, Blend};
use drift::Drift;
use filter::{Filter, Noise};
pub use trial::Change;
use trial::Watch;

/// Legs that the first estimate is made of again and again, each time with more known of the network's delays.
const FIRST_LEGS: usize = 64;
/// It is made again after so many legs, and then after twice as many each time.
const FIRST_REVISION: usize = 8;
/// Share of the spread of the first round trips that stamps may be wrong by.
const STAMPS_SHARE: f64 = 0.02;
/// First assumption about them at the least, ns.
const FIRST_STAMPS: f64 = 2.0;
/// First assumption about the oscillator, ppb/√s.
const FIRST_WANDER: f64 = 3.0;
/// Standard deviations to either side that hold 99 %. Not of a normal distribution (2.58): the noise is learned, and the
/// standard deviation with it, so that this is of Student's t with 7 degrees of freedom.
const NINETY_NINE: f64 = 3.5;

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Sync: t1, t2.
    FromServer,
    /// Delay_Req: t3, t4.
    ToServer,
}

/// One packet, stamped at both ends and corrected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leg {
    /// Which way it went.
    pub direction: Direction,
    /// Time of the local stamp, s, of any epoch.
    pub at: f64,
    /// Stamp at its end minus stamp at its start, ns. The local stamps are those of a clock that nobody steers.
    pub value: f64,
}

/// What is known of the local clock at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Offset of the clock that nobody steers: client minus server, ns.
    pub offset_ns: f64,
    /// With a probability of 99 % the offset is within this of `offset_ns`, if the shortest delays of both
    /// directions are equal, ns.
    pub bound_ns: f64,
    /// How much faster than the server's that clock runs, ppb.
    pub frequency_ppb: f64,
    /// 99 % bound of it, ppb.
    pub frequency_bound_ppb: f64,
    /// Half of the shortest round trip, ns.
    pub delay_ns: f64,
    /// (Server to client minus client to server)/2 of the shortest delays, ns: 0 until a route changes in one direction.
    pub asymmetry_ns: f64,
}

/// Estimates the offset from one server.
#[derive(Clone, Debug)]
pub struct Estimator {
    /// How well the frequency is known before anything is measured, ppb.
    frequency_deviation: f64,
    first: ArrayVec<Leg, FIRST_LEGS>,
    revision: usize,
    bank: Option<Bank>,
    drift: Drift,
    watch: Watch,
    legs: [u64; 2],
    /// Time of the last leg, s.
    last: f64,
}

impl Estimator {
    /// Knows nothing but that the frequency is right within about `frequency_deviation` ppb.
    pub fn new(frequency_deviation: f64) -> Self {
        Self {
            frequency_deviation,
            first: ArrayVec::new(),
            revision: FIRST_REVISION,
            bank: None,
            drift: Drift::default(),
            watch: Watch::default(),
            legs: [0; 2],
            last: f64::NEG_INFINITY,
        }
    }

    /// Takes in a packet; what it made of those of late, if that is a change in the network or in a clock.
    pub fn take(&mut self, leg: Leg) -> Option<Change> {
        self.legs[leg.direction as usize] += 1;
        self.last = self.last.max(leg.at);
        let beginning = self.first.try_push(leg).is_ok();
        let Some(bank) = &mut self.bank else {
            self.begin();
            return None;
        };
        if beginning {
            if bank.update(leg).stray > 0.5 {
                self.watch.stray_at_start(bank, leg);
            }
            if self.first.len() == self.revision {
                self.revision *= 2;
                self.revise();
            }
            return None;
        }
        let change = self.watch.update(bank, leg);
        if change.is_some() {
            self.drift.interrupt();
        }
        let middle = bank.middle();
        self.drift.update(middle.frequency(), middle.noise.wander);
        change
    }

    /// At `at`, s; `None` before the first exchange.
    pub fn estimate(&self, at: f64) -> Option<Estimate> {
        let bank = self.bank.as_ref()?;
        let Blend { phase, frequency } = bank.blend(at);
        // Of no account while packets come.
        let elapsed = (at - self.last).max(0.0);
        let (drift, drift_deviation) = self.drift.rate();
        let area = elapsed * elapsed / 2.0;
        Some(Estimate {
            offset_ns: phase.mean + drift * area,
            bound_ns: NINETY_NINE * phase.deviation().hypot(drift_deviation * area),
            frequency_ppb: frequency.mean + drift * elapsed,
            frequency_bound_ppb: NINETY_NINE * frequency.deviation().hypot(drift_deviation * elapsed),
            delay_ns: bank.middle().delay(),
            asymmetry_ns: bank.middle().asymmetry(),
        })
    }

    /// Legs taken in, of each direction.
    pub fn legs(&self) -> [u64; 2] {
        self.legs
    }

    /// Makes the first estimate as soon as there is a leg of each direction.
    fn begin(&mut self) {
        if let Some(filter) = self.first_filter() {
            self.bank = Some(Bank::new(filter));
            self.replay();
        }
    }

    /// Makes the first estimate again, with the excesses as known by now.
    fn revise(&mut self) {
        let most = self.spread().most;
        if let (Some(filter), Some(bank)) = (self.first_filter(), &self.bank) {
            self.bank = Some(Bank::new(filter.with_guess(bank.middle(), most)));
            self.replay();
        }
    }

    fn replay(&mut self) {
        let Some(bank) = &mut self.bank else {
            return;
        };
        for &leg in &self.first {
            if bank.update(leg).stray > 0.5 {
                self.watch.stray_at_start(bank, leg);
            }
        }
    }

    fn first_filter(&self) -> Option<Filter> {
        let first = |direction| self.first.iter().find(|leg| leg.direction == direction).copied();
        let legs = [first(Direction::FromServer)?, first(Direction::ToServer)?];
        let noise =
            Noise { stamps: (STAMPS_SHARE * self.spread().median).max(FIRST_STAMPS), wander: FIRST_WANDER };
        Some(Filter::new(noise, legs, self.frequency_deviation))
    }

    /// How far the first round trips are above their shortest, ns. What the clock went wrong between there and back is
    /// taken out as far as its frequency is known: 20 ppm in 60 ms make more than good stamps scatter.
    fn spread(&self) -> Spread {
        let frequency = self.bank.as_ref().map_or(0.0, |bank| bank.middle().frequency().mean);
        let drift = |[there, back]: [Leg; 2]| {
            let drift = frequency * (back.at - there.at);
            if there.direction == Direction::FromServer { drift } else { -drift }
        };
        let mut round_trips: ArrayVec<f64, FIRST_LEGS> = self
            .first
            .windows(2)
            .filter(|pair| pair[0].direction != pair[1].direction)
            .map(|pair| pair[0].value + pair[1].value + drift([pair[0], pair[1]]))
            .collect();
        round_trips.sort_unstable_by(f64::total_cmp);
        let [Some(shortest), Some(median), Some(longest)] =
            [0, round_trips.len() / 2, round_trips.len().saturating_sub(1)]
                .map(|place| round_trips.get(place))
        else {
            return Spread::default();
        };
        Spread { median: median - shortest, most: longest - shortest }
    }
}

/// How far some round trips are above the shortest, ns.
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    median: f64,
    most: f64,
}

#[cfg(test)]
mod tests;
