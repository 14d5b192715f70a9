use super::*;
use proptest::prelude::*;

/// A clock against a perfect one, over a network that delays.
struct Link {
    random: fastrand::Rng,
    estimator: Estimator,
    now: f64,
    /// Of the local clock, ns.
    phase: f64,
    /// ppb.
    frequency: f64,
    /// Random walk of the frequency, ppb per second.
    wander: f64,
    /// Shortest delays, ns.
    shortest: [f64; 2],
    /// Means of the exponential excess, ns.
    excess: [f64; 2],
    changes: Vec<Change>,
}

/// Errors and bounds of the estimate at the end of each second, ns.
type History = Vec<(f64, f64)>;

impl Link {
    fn new(seed: u64, shortest: f64, excess: [f64; 2]) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            estimator: Estimator::new(100_000.0),
            now: 0.0,
            phase: 10e6,
            frequency: 10e3,
            wander: 1.0,
            shortest: [shortest; 2],
            excess,
            changes: Vec::new(),
        }
    }

    fn exponential(&mut self) -> f64 {
        -(1.0 - self.random.f64()).ln()
    }

    fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (std::f64::consts::TAU * self.random.f64()).cos()
    }

    fn pass(&mut self, seconds: f64) {
        self.now += seconds;
        self.phase += self.frequency * seconds;
    }

    fn leg(&mut self, direction: Direction) {
        let place = direction as usize;
        let delay = self.shortest[place] + self.excess[place] * self.exponential();
        let phase = if direction == Direction::FromServer { self.phase } else { -self.phase };
        let change = self.estimator.take(Leg { direction, at: self.now, value: phase + delay });
        self.changes.extend(change);
    }

    /// Eight exchanges a second.
    fn run(&mut self, seconds: u32) -> History {
        let mut history = History::new();
        for _ in 0..seconds {
            self.frequency += self.wander * self.normal();
            for _ in 0..8 {
                self.leg(Direction::FromServer);
                self.pass(0.06);
                self.leg(Direction::ToServer);
                self.pass(0.065);
            }
            let estimate = self.estimator.estimate(self.now).expect("exchanges were complete");
            history.push((estimate.offset_ns - self.phase, estimate.bound_ns));
        }
        history
    }
}

fn rms(history: &History) -> f64 {
    (history.iter().map(|(error, _)| error * error).sum::<f64>() / history.len() as f64).sqrt()
}

fn covered(history: &History) -> f64 {
    let within = history.iter().filter(|(error, bound)| error.abs() <= *bound).count();
    within as f64 / history.len() as f64
}

#[test]
fn finds_time_in_delayed_packets_and_says_how_well() {
    // Means of the excess each way, and what the best peer leaves of the error (ns).
    for (excess, best_peer) in
        [([100.0; 2], 16.0), ([5e3; 2], 126.0), ([50e3; 2], 580.0), ([10e3, 200e3], 1_690.0)]
    {
        let mut link = Link::new(1, 500e3, excess);
        link.run(300);
        let history = link.run(1_000);
        assert!(rms(&history) < best_peer / 2.0, "{excess:?}: {} ns", rms(&history));
        assert!(covered(&history) > 0.97, "{excess:?}: {}", covered(&history));
        let widest = history.iter().fold(0.0_f64, |widest, (_, bound)| widest.max(*bound));
        assert!(widest < 10.0 * rms(&history), "{excess:?}: {widest} ns");
        assert_eq!(link.changes, []);
    }
}

#[test]
fn is_near_within_seconds() {
    for seed in 1..20 {
        let mut link = Link::new(seed, 1e6, [50e3; 2]);
        let history = link.run(60);
        let late = history.iter().skip(8).fold(0.0_f64, |worst, (error, _)| worst.max(error.abs()));
        assert!(late < 10e3, "seed {seed}: {late} ns");
    }
}

#[test]
fn stamps_that_scatter_both_ways_are_no_delays() {
    let mut link = Link::new(3, 5e3, [0.0; 2]);
    let mut history = History::new();
    for _ in 0..600 {
        let shortest = 5e3 + 50.0 * link.normal();
        link.shortest = [shortest, 5e3 + 50.0 * link.normal()];
        link.leg(Direction::FromServer);
        link.pass(0.06);
        link.leg(Direction::ToServer);
        link.pass(0.065);
        let estimate = link.estimator.estimate(link.now).unwrap();
        history.push((estimate.offset_ns - link.phase, estimate.bound_ns));
    }
    let settled = history.split_off(200);
    assert!(rms(&settled) < 25.0, "{} ns", rms(&settled));
}

/// The stamps of NICs at both ends of a cable: whole ns, and nothing is delayed.
#[test]
fn good_stamps_are_believed_within_seconds() {
    for seed in 1..20 {
        let mut link = Link::new(seed, 5e3, [0.0; 2]);
        link.frequency = 20e3;
        let mut errors = Vec::new();
        for _ in 0..80 {
            for direction in [Direction::FromServer, Direction::ToServer] {
                // The stamp is rounded, not the clock.
                let phase = link.phase;
                link.phase = phase.floor();
                link.leg(direction);
                link.phase = phase;
                let wait = 0.0425 + 0.04 * link.random.f64();
                link.pass(wait);
            }
            errors.push(link.estimator.estimate(link.now).unwrap().offset_ns - link.phase);
        }
        let worst = errors.split_off(24).into_iter().fold(0.0_f64, |worst, error| worst.max(error.abs()));
        assert!(worst < 3.0, "seed {seed}: {worst} ns off after 3 s");
    }
}

/// A way through busy queues: most packets take 22 us, few are fast, few wait long.
#[test]
fn where_hardly_a_packet_is_fast_the_bulk_tells_the_time() {
    let mut squares = 0.0;
    for seed in 1..=5 {
        let mut link = Link::new(seed, 0.0, [0.0; 2]);
        let mut history = History::new();
        for _ in 0..8_000 {
            for direction in [Direction::FromServer, Direction::ToServer] {
                link.shortest[direction as usize] = match link.random.u32(0..100) {
                    0..6 => 4e3 + 8e3 * link.random.f64(),
                    6..11 => 22e3 + 30e3 * link.exponential(),
                    _ => 22e3 + 4e3 * link.normal(),
                };
                link.leg(direction);
                link.pass(0.0625);
            }
            link.frequency += 0.35 * link.normal();
            let estimate = link.estimator.estimate(link.now).unwrap();
            history.push((estimate.offset_ns - link.phase, estimate.bound_ns));
        }
        let settled = history.split_off(800);
        assert!(covered(&settled) > 0.97, "seed {seed}: {}", covered(&settled));
        squares += rms(&settled).powi(2) / 5.0;
    }
    // A packet scatters by 6 us rms.
    assert!(squares.sqrt() < 550.0, "{} ns", squares.sqrt());
}

#[test]
fn a_longer_way_is_told_from_a_clock_that_was_set() {
    type Case = (fn(&mut Link), Change);
    let cases: [Case; 3] = [
        (|link| link.shortest[0] += 40e3, Change::Route(Direction::FromServer)),
        (|link| link.shortest[1] -= 40e3, Change::Route(Direction::ToServer)),
        (|link| link.shortest = link.shortest.map(|shortest| shortest + 40e3), Change::Routes),
    ];
    for (alter, change) in cases {
        let mut link = Link::new(4, 500e3, [5e3; 2]);
        link.run(200);
        alter(&mut link);
        let history = link.run(200);
        assert_eq!(link.changes, [change]);
        assert!(rms(&history) < 150.0, "{change:?}: {} ns", rms(&history));
    }
}

/// A backup begins: from one packet to the next, those of one direction wait behind others.
#[test]
fn load_is_no_longer_way() {
    for seed in 1..=3 {
        let mut link = Link::new(seed, 500e3, [1e3; 2]);
        link.run(200);
        link.excess[0] = 100e3;
        let mut history = link.run(200);
        link.excess[0] = 1e3;
        history.extend(link.run(100));
        assert_eq!(link.changes, [], "seed {seed}");
        assert!(rms(&history) < 60.0, "seed {seed}: {} ns", rms(&history));
        assert!(covered(&history) > 0.95, "seed {seed}: {}", covered(&history));
    }
}

#[test]
fn a_clock_that_was_set_is_followed() {
    let mut link = Link::new(5, 500e3, [5e3; 2]);
    link.run(200);
    link.phase -= 40e3;
    link.run(5);
    let [Change::Time(by)] = link.changes[..] else { panic!("{:?}", link.changes) };
    assert!((by + 40e3).abs() < 3e3, "{by} ns");
    assert!(rms(&link.run(100)) < 100.0);
}

#[test]
fn the_bound_grows_while_nothing_comes() {
    let mut link = Link::new(6, 500e3, [5e3; 2]);
    link.run(200);
    let bound = |link: &Link, ahead: f64| link.estimator.estimate(link.now + ahead).unwrap().bound_ns;
    assert!(bound(&link, 10.0) > 1.5 * bound(&link, 0.0));
    assert!(bound(&link, 300.0) > 10.0 * bound(&link, 10.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn never_loses_its_numbers(
        legs in prop::collection::vec((any::<bool>(), 0.0..10.0, -1e18..1e18, any::<bool>()), 1..300),
    ) {
        let mut estimator = Estimator::new(1e5);
        let mut at = 0.0;
        for (from_server, wait, value, sane) in legs {
            at += wait;
            let direction = if from_server { Direction::FromServer } else { Direction::ToServer };
            let value = if sane { value % 1e6 } else { value };
            estimator.take(Leg { direction, at, value });
            if let Some(estimate) = estimator.estimate(at) {
                prop_assert!(estimate.offset_ns.is_finite() && estimate.bound_ns.is_finite(), "{estimate:?}");
                prop_assert!(estimate.frequency_ppb.is_finite() && estimate.delay_ns.is_finite());
            }
        }
    }
}

/// One way longer by exactly as much as the other is shorter would explain it too, but for the packets in between.
#[test]
fn a_clock_that_is_slewed_is_no_route_change() {
    for known in [2, 20, 100] {
        for ppb in [100.0, 1e3, 5e3, 20e3, 100e3] {
            for (seconds, shortest) in [(1, 5e3), (1, 1e6), (3, 5e3), (10, 5e3)] {
                let mut link = Link::new(5, shortest, [0.0; 2]);
                link.wander = 0.0;
                link.run(known);
                link.frequency += ppb;
                link.run(seconds);
                link.frequency -= ppb;
                let history = link.run(60);
                let (error, bound) = history[59];
                let case = format!("{ppb} ppb for {seconds} s after {known} s, delay {shortest} ns");
                assert!(error.abs() < 5.0 && bound < 10.0, "{case}: {error} ± {bound} ns");
                let routes = link.changes.iter().filter(|change| !matches!(change, Change::Time(_))).count();
                assert_eq!(routes, 0, "{case}: {:?}", link.changes);
            }
        }
    }
}
