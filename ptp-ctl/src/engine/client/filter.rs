//! Which exchanges were delayed on their way.

use crate::engine::quartile::quartile;

/// Exchanges that are compared.
const WINDOW: usize = 16;
/// Fewest of them from which anything can be said.
const ENOUGH: usize = 5;
/// Exchanges that are left out in a row at the most: after that, what seems held up may be the way things are now.
const MOST_LEFT_OUT: u32 = 2;
/// What stamps scatter by at the least, ns.
const STAMP_NOISE_NS: f64 = 200.0;

/// The path delays of the last exchanges with one server.
///
/// An exchange that took much longer than usual was held up somewhere, most likely in one direction only: its offset is
/// wrong by up to half of the excess. What is usual is the half of them around the median.
#[derive(Clone, Debug, Default)]
pub(super) struct DelayFilter {
    delays: [f64; WINDOW],
    count: usize,
    next: usize,
    left_out: u32,
}

impl DelayFilter {
    /// Takes in the path delay of an exchange, ns; whether its offset is worth using.
    pub(super) fn accept(&mut self, delay_ns: f64) -> bool {
        self.delays[self.next] = delay_ns;
        self.next = (self.next + 1) % WINDOW;
        self.count = (self.count + 1).min(WINDOW);
        let usual = self.count < ENOUGH || delay_ns - self.quartile(2) <= 1.5 * self.noise_ns();
        let accepted = usual || self.left_out >= MOST_LEFT_OUT;
        self.left_out = if accepted { 0 } else { self.left_out + 1 };
        accepted
    }

    /// How far apart the offsets of accepted exchanges are, ns: as far as the lower quartile of the delays is from
    /// their median, which what was held up does not reach.
    pub(super) fn noise_ns(&self) -> f64 {
        (self.quartile(2) - self.quartile(1)).max(STAMP_NOISE_NS)
    }

    fn quartile(&self, quarters: usize) -> f64 {
        quartile::<WINDOW>(self.delays[..self.count].iter().copied(), quarters)
    }
}
