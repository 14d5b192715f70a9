use super::delay::{Delay, Draw};
use arrayvec::ArrayVec;
use serde::Deserialize;
use std::time::Duration;

/// One way through the network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Path {
    /// How long packets take.
    pub delay: Delay,
    /// Share that gets lost, 0 to 1.
    #[serde(default)]
    pub loss: f64,
    /// Share that arrives twice, 0 to 1.
    #[serde(default)]
    pub duplication: f64,
    /// Whether a packet that takes long may be overtaken by later ones.
    #[serde(default = "overtaking_allowed")]
    pub overtaking: bool,
    /// How busy it is with other traffic.
    #[serde(default)]
    pub load: Load,
}

const fn overtaking_allowed() -> bool {
    true
}

impl Default for Path {
    /// 10 µs, nothing else.
    fn default() -> Self {
        Self::new(Delay::constant(Duration::from_micros(10)))
    }
}

impl Path {
    /// A way with this delay and no other trouble.
    pub fn new(delay: Delay) -> Self {
        Self { delay, loss: 0.0, duplication: 0.0, overtaking: overtaking_allowed(), load: Load::default() }
    }

    /// A way that nothing gets through.
    pub fn broken() -> Self {
        Self { loss: 1.0, ..Self::default() }
    }
}

/// Load over time: straight lines through points.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Load {
    /// Time (s) and load (0 to below 1), in the order of time; two at one time are a step.
    pub points: Vec<(f64, f64)>,
    /// After so many seconds it begins again, such as 86400 for a day; never, if left out.
    pub period: Option<f64>,
}

impl Load {
    /// At a time, s.
    pub(super) fn at(&self, seconds: f64) -> f64 {
        let seconds = self.period.map_or(seconds, |period| seconds.rem_euclid(period));
        let next = self.points.partition_point(|point| point.0 <= seconds);
        match (next.checked_sub(1).map(|before| self.points[before]), self.points.get(next)) {
            (Some((from, before)), Some(&(to, after))) => {
                before + (after - before) * (seconds - from) / (to - from)
            }
            (Some((_, load)), None) | (None, Some(&(_, load))) => load,
            (None, None) => 0.0,
        }
    }
}

/// A path in use.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// Of its own: what happens elsewhere alters nothing here.
    random: fastrand::Rng,
    /// Packets sent.
    pub(super) packets: u64,
    /// When one was lost last, ns since the start.
    pub(super) last_loss: Option<u64>,
    events: u64,
    last_arrival: u64,
}

impl Link {
    pub(super) fn new(random: fastrand::Rng) -> Self {
        Self { random, packets: 0, last_loss: None, events: 0, last_arrival: 0 }
    }

    /// When a packet that is sent `now` arrives: never, once or twice. Times are ns since the start.
    pub(super) fn arrivals(&mut self, path: &Path, now: u64, is_event: bool) -> ArrayVec<u64, 2> {
        let mut arrivals = ArrayVec::new();
        self.packets += 1;
        let number = self.events;
        self.events += u64::from(is_event);
        let lost = self.random.f64() < path.loss;
        let copies = if self.random.f64() < path.duplication { 2 } else { 1 };
        let at = now as f64 * 1e-9;
        let load = path.load.at(at);
        for _ in 0..copies {
            let mut draw = Draw { random: &mut self.random, at, load, number };
            let arrival = now + path.delay.draw(&mut draw).round() as u64;
            if lost {
                continue;
            }
            let arrival = if path.overtaking { arrival } else { arrival.max(self.last_arrival) };
            self.last_arrival = self.last_arrival.max(arrival);
            arrivals.push(arrival);
        }
        arrivals
    }
}

#[cfg(test)]
mod tests;
