//! The time error that the client leaves under packet delay variation, in the simulator.

use super::limit::{self, Excess};
use crate::figures::{Bar, Report, Row};
use crate::scenarios;
use anyhow::{Context, Result};
use ptp_ctl::config::ServoKind;
use ptp_ctl::sim::scenario::{Run, Scenario};
use ptp_ctl::sim::statistics::{Statistics, rms};
use std::ops::RangeInclusive;
use std::thread;
use std::time::Instant;

/// Seeds of every row but holdover's.
const SEEDS: RangeInclusive<u64> = 1..=5;
/// Seeds of holdover: the end of one run says little about their spread.
const HOLDOVER_SEEDS: RangeInclusive<u64> = 1..=200;
/// What the oscillator's walk of 1 ppb a second makes of 300 s without a server: √(1² + … + 300²) ns.
const HOLDOVER_LIMIT_NS: f64 = 3_007.0;
/// How much more holdover may make.
const HOLDOVER_FACTOR: f64 = 1.15;
/// How far from ptp4l's figures `servo = "pi"` may be: they are of other seeds, and of a simulator of its own.
pub const PI_TOLERANCE: f64 = 0.25;
/// Root mean squares of ptp4l (PI, moving median) under clknetsim, lowest and highest of three seeds, ns.
pub const PTP4L: [(&str, f64, f64); 3] =
    [("lan", 29.0, 32.0), ("metro", 813.0, 883.0), ("pdv", 8_200.0, 8_600.0)];
const BEST_PEER: &str = "chrony 4.3, clknetsim, elsewhere";
const PTP4L_NAME: &str = "ptp4l, clknetsim, elsewhere";

/// A scenario and what is asked there.
struct Case {
    name: &'static str,
    /// Most that the root mean square over all seeds may be, ns.
    rms_ns: f64,
    /// Most that settling within 10 µs may take with any seed, s.
    settled_s: f64,
    /// Lowest root mean square of the best peer, ns.
    peer_rms_ns: f64,
    /// What the packets from and to the server take longer than the shortest.
    excesses: [Excess; 2],
}

const fn case(name: &'static str, bars: (f64, f64), peer_rms_ns: f64, excesses: [Excess; 2]) -> Case {
    Case { name, rms_ns: bars.0, settled_s: bars.1, peer_rms_ns, excesses }
}

const LOAD30: Excess = Excess { mean: 20e3, wait: (0.3, 300e3) };
const CASES: [Case; 5] = [
    case("lan", (8.0, 3.0), 16.0, [Excess::exponential(100.0); 2]),
    case("metro", (65.0, 3.0), 126.0, [Excess::exponential(5e3); 2]),
    case("pdv", (250.0, 5.0), 580.0, [Excess::exponential(50e3); 2]),
    case("load30", (180.0, 5.0), 467.0, [LOAD30; 2]),
    case("asym", (350.0, 9.0), 1_690.0, [Excess::exponential(10e3), Excess::exponential(200e3)]),
];
/// The others that come with it, with the seeds that they are played with: here the bound is judged. What a change of route in one
/// direction leaves of error lasts for good, so a run of it has three errors and not thousands: it takes many runs to tell 99 %.
const OTHERS: [(&str, RangeInclusive<u64>); 5] =
    [("bursts", 1..=5), ("route-change", 1..=100), ("failover", 1..=5), ("day", 1..=1), ("internet", 1..=1)];

/// Plays everything.
pub fn run(report: &mut Report) -> Result<()> {
    // Before the simulator's speed is measured.
    let limits = CASES.map(|case| (10.0 * limit::rms_ns(case.excesses)).round() / 10.0);
    let (mut simulated_s, started) = (0.0, Instant::now());
    for (name, lowest, highest) in PTP4L {
        let played = Played::of(name, ServoKind::Pi, SEEDS, &mut simulated_s)?;
        report.rows.push(
            Row::new(&format!("{name}, servo = pi"), "true_error_ns.rms", "ns", rounded(played.rms()))
                .beside(PTP4L_NAME, format!("{lowest} to {highest}"))
                .judged(Bar::Between(lowest * (1.0 - PI_TOLERANCE), highest * (1.0 + PI_TOLERANCE))),
        );
    }
    for (case, limit) in CASES.iter().zip(limits) {
        let played = Played::of(case.name, ServoKind::Adaptive, SEEDS, &mut simulated_s)?;
        report.rows.extend(played.rows(case, limit));
    }
    for (name, seeds) in OTHERS {
        let played = Played::of(name, ServoKind::Adaptive, seeds, &mut simulated_s)?;
        report.rows.push(Row::new(name, "true_error_ns.rms", "ns", rounded(played.rms())));
        report.rows.push(played.largest(name));
        report.rows.extend(played.bound_rows(name));
    }
    let holdover = Played::of("holdover", ServoKind::Adaptive, HOLDOVER_SEEDS, &mut simulated_s)?;
    report.rows.push(
        Row::new("holdover 300 s", "last_error_ns.rms", "ns", rounded(holdover.last_rms()))
            .limited(HOLDOVER_LIMIT_NS)
            .judged(Bar::AtMost((HOLDOVER_FACTOR * HOLDOVER_LIMIT_NS).round())),
    );
    report.rows.extend(holdover.bound_rows("holdover 300 s"));
    let speed = simulated_s / started.elapsed().as_secs_f64();
    report.rows.push(Row::new("simulator", "speed", "s/s", speed.round()).judged(Bar::AtLeast(1_000.0)));
    Ok(())
}

/// One scenario with some seeds.
struct Played {
    runs: Vec<Statistics>,
}

impl Played {
    fn of(name: &str, servo: ServoKind, seeds: RangeInclusive<u64>, simulated_s: &mut f64) -> Result<Self> {
        let scenario = scenarios::load(name, servo).with_context(|| format!("scenario {name}"))?;
        let seeds: Vec<u64> = seeds.collect();
        *simulated_s += scenario.document().duration * seeds.len() as f64;
        let runs = on_all_cpus(&scenario, &seeds);
        Ok(Self { runs: runs.iter().map(|run| run.statistics(&scenario)).collect() })
    }

    fn rms(&self) -> Option<f64> {
        rms(self.runs.iter().map(|run| run.rms_ns))
    }

    fn last_rms(&self) -> Option<f64> {
        rms(self.runs.iter().map(|run| run.last_ns))
    }

    /// The slowest; none if one did not settle.
    fn settled(&self) -> Option<f64> {
        self.runs.iter().map(|run| run.settled_s).reduce(|a, b| Some(a?.max(b?))).flatten()
    }

    /// A mean over the seeds, where all of them give bounds.
    fn bound(&self, figure: fn(&Statistics) -> Option<f64>) -> Option<f64> {
        let figures: Option<Vec<f64>> = self.runs.iter().map(figure).collect();
        figures.map(|figures| figures.iter().sum::<f64>() / figures.len() as f64)
    }

    fn rows(&self, case: &Case, limit: f64) -> Vec<Row> {
        let Case { name, rms_ns, settled_s, peer_rms_ns, .. } = *case;
        let mut rows = vec![
            Row::new(name, "true_error_ns.rms", "ns", rounded(self.rms()))
                .beside(BEST_PEER, peer_rms_ns)
                .limited(limit)
                .judged(Bar::AtMost(rms_ns)),
            self.largest(name),
            Row::new(name, "within_10_us_for_good", "s", self.settled()).judged(Bar::AtMost(settled_s)),
        ];
        rows.extend(self.bound_rows(name));
        rows
    }

    fn largest(&self, name: &str) -> Row {
        let largest = self.runs.iter().map(|run| run.max_ns).fold(0.0, f64::max);
        Row::new(name, "true_error_ns.max", "ns", rounded(Some(largest)))
    }

    /// How true the bound is. Its width is judged in proportion to what the estimate is off by.
    fn bound_rows(&self, name: &str) -> Vec<Row> {
        let held = self.bound(|run| Some(100.0 * run.bound?.held));
        let width = self.bound(|run| Some(run.bound?.mean_ns / run.bound?.estimate_rms_ns));
        vec![
            Row::new(name, "bound_held", "%", held.map(|held| (100.0 * held).round() / 100.0))
                .judged(Bar::AtLeast(99.0)),
            Row::new(name, "bound_ns.mean / estimate_error_ns.rms", "", rounded(width))
                .judged(Bar::AtMost(10.0)),
        ]
    }
}

/// To a tenth.
fn rounded(figure: Option<f64>) -> Option<f64> {
    figure.map(|figure| (10.0 * figure).round() / 10.0)
}

/// The runs, in no order.
fn on_all_cpus(scenario: &Scenario, seeds: &[u64]) -> Vec<Run> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let share = seeds.len().div_ceil(workers).max(1);
    thread::scope(|scope| {
        let work = |seeds: &'_ [u64]| seeds.iter().map(|&seed| scenario.run(seed)).collect::<Vec<_>>();
        let workers: Vec<_> = seeds.chunks(share).map(|seeds| scope.spawn(move || work(seeds))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a run does not panic")).collect()
    })
}
