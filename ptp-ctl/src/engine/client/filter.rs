//! Which exchanges were delayed on their way.

/// Exchanges that are compared.
const WINDOW: usize = 16;
/// Fewest of them from which anything can be said.
const ENOUGH: usize = 5;
/// What stamps scatter by at the least, ns.
const STAMP_NOISE_NS: f64 = 200.0;

/// The path delays of the last exchanges with one server.
///
/// An exchange that took much longer than the fastest was held up somewhere, most likely in one direction only: its
/// offset is wrong by up to half of the excess. The bound adapts to what is usual on this path.
#[derive(Clone, Debug, Default)]
pub(super) struct DelayFilter {
    delays: [f64; WINDOW],
    count: usize,
    next: usize,
}

impl DelayFilter {
    /// Takes in the path delay of an exchange, ns; whether its offset is worth using.
    pub(super) fn accept(&mut self, delay_ns: f64) -> bool {
        self.delays[self.next] = delay_ns;
        self.next = (self.next + 1) % WINDOW;
        self.count = (self.count + 1).min(WINDOW);
        if self.count < ENOUGH {
            return true;
        }
        let (floor, median) = self.floor_and_median();
        delay_ns - floor <= 2.0 * (median - floor).max(STAMP_NOISE_NS)
    }

    /// How far apart the offsets of accepted exchanges are, ns.
    pub(super) fn noise_ns(&self) -> f64 {
        let (floor, median) = self.floor_and_median();
        (median - floor).max(STAMP_NOISE_NS)
    }

    fn floor_and_median(&self) -> (f64, f64) {
        let mut sorted = self.delays;
        let sorted = &mut sorted[..self.count];
        sorted.sort_unstable_by(f64::total_cmp);
        match sorted {
            [] => (0.0, 0.0),
            [floor, ..] => (*floor, sorted[sorted.len() / 2]),
        }
    }
}
