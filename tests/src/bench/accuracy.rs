//! The time error that the client leaves under packet delay variation, in the simulator.

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
}

const CASES: [Case; 5] = [
    Case { name: "lan", rms_ns: 8.0, settled_s: 3.0, peer_rms_ns: 16.0 },
    Case { name: "metro", rms_ns: 65.0, settled_s: 3.0, peer_rms_ns: 126.0 },
    Case { name: "pdv", rms_ns: 250.0, settled_s: 5.0, peer_rms_ns: 580.0 },
    Case { name: "load30", rms_ns: 180.0, settled_s: 5.0, peer_rms_ns: 467.0 },
    Case { name: "asym", rms_ns: 350.0, settled_s: 9.0, peer_rms_ns: 1_690.0 },
];

/// Plays everything.
pub fn run(report: &mut Report) -> Result<()> {
    let (mut simulated_s, started) = (0.0, Instant::now());
    for (name, lowest, highest) in PTP4L {
        let played = Played::of(name, ServoKind::Pi, SEEDS, &mut simulated_s)?;
        report.rows.push(
            Row::new(&format!("{name}, servo = pi"), "true_error_ns.rms", "ns", rounded(played.rms()))
                .beside(PTP4L_NAME, format!("{lowest} to {highest}"))
                .judged(Bar::Between(lowest * (1.0 - PI_TOLERANCE), highest * (1.0 + PI_TOLERANCE))),
        );
    }
    for case in CASES {
        let played = Played::of(case.name, ServoKind::Adaptive, SEEDS, &mut simulated_s)?;
        report.rows.extend(played.rows(&case));
    }
    let holdover = Played::of("holdover", ServoKind::Adaptive, HOLDOVER_SEEDS, &mut simulated_s)?;
    report.rows.push(
        Row::new("holdover 300 s", "last_error_ns.rms", "ns", rounded(holdover.last_rms()))
            .limited(HOLDOVER_LIMIT_NS)
            .judged(Bar::AtMost((HOLDOVER_FACTOR * HOLDOVER_LIMIT_NS).round())),
    );
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

    fn rows(&self, case: &Case) -> Vec<Row> {
        let Case { name, rms_ns, settled_s, peer_rms_ns } = *case;
        let largest = self.runs.iter().map(|run| run.max_ns).fold(0.0, f64::max);
        let held = self.bound(|run| Some(100.0 * run.bound?.held));
        let width = self.bound(|run| Some(run.bound?.mean_ns / run.rms_ns));
        vec![
            Row::new(name, "true_error_ns.rms", "ns", rounded(self.rms()))
                .beside(BEST_PEER, peer_rms_ns)
                .judged(Bar::AtMost(rms_ns)),
            Row::new(name, "true_error_ns.max", "ns", rounded(Some(largest))),
            Row::new(name, "within_10_us_for_good", "s", self.settled()).judged(Bar::AtMost(settled_s)),
            Row::new(name, "bound_held", "%", held.map(|held| (100.0 * held).round() / 100.0))
                .judged(Bar::AtLeast(99.0)),
            Row::new(name, "bound_ns.mean / true_error_ns.rms", "", rounded(width)).judged(Bar::AtMost(10.0)),
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
