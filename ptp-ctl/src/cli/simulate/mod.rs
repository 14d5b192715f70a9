//! `ptp-ctl simulate`.

mod plot;
mod text;

use super::drawing::Output;
use crate::sim::scenario::{Run, Scenario};
use crate::sim::statistics::{Statistics, rms};
use anyhow::Context;
use serde::Serialize;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to simulate: a TOML file, see docs/simulate.md and the ready-made ones in scenarios/
    #[arg(value_name = "SCENARIO")]
    file: PathBuf,
    /// Seed of all chances, instead of the scenario's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Play it with so many seeds, one after the other
    #[arg(long, value_name = "N", default_value = "1")]
    seeds: NonZeroU64,
    /// Report as JSON on standard output
    #[arg(long)]
    json: bool,
    /// Draw time error, estimate, events and MTIE of the first seed into this SVG or PNG file
    #[arg(long, value_name = "FILE")]
    plot: Option<Output>,
}

/// What is reported.
#[derive(Debug, Serialize)]
struct Report<'a> {
    /// The scenario's title.
    title: &'a str,
    /// s.
    duration_s: f64,
    /// From when on the error was measured, s.
    measured_from_s: f64,
    /// Settling is being within this for good, ns.
    settled_within_ns: f64,
    /// Over the seeds together.
    all: All,
    /// One for each seed.
    runs: Vec<Played<'a>>,
}

/// Over the seeds together.
#[derive(Debug, Serialize)]
struct All {
    /// Root mean square over all seeds, ns.
    rms_ns: Option<f64>,
    /// The largest of all seeds, ns.
    max_ns: f64,
    /// The slowest of all seeds, s; none if one of them did not settle.
    settled_s: Option<f64>,
    /// Root mean square of the errors at the end, ns.
    last_rms_ns: Option<f64>,
    /// The mean of all seeds, where they give bounds.
    bound_held: Option<f64>,
}

/// One run in figures.
#[derive(Debug, Serialize)]
struct Played<'a> {
    seed: u64,
    #[serde(flatten)]
    statistics: Statistics,
    #[serde(skip)]
    run: &'a Run,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let scenario = Scenario::load(&args.file)?;
    let first = args.seed.unwrap_or(scenario.document().seed);
    let seeds: Vec<u64> = (0..args.seeds.get()).map(|place| first.wrapping_add(place)).collect();
    let started = Instant::now();
    let runs = play(&scenario, &seeds);
    let seconds = started.elapsed().as_secs_f64();
    let report = Report::new(&scenario, &runs);
    if args.json {
        super::print_json(&report)?;
    } else {
        super::print(&report)?;
        let simulated = scenario.document().duration * seeds.len() as f64;
        eprintln!("{simulated:.0} s simulated in {seconds:.2} s");
    }
    if let Some(output) = &args.plot {
        plot::draw(output, &scenario, report.runs[0].run, &report.runs[0].statistics)
            .with_context(|| format!("cannot draw {output}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Plays all seeds on as many CPUs as there are; the runs are in the order of the seeds.
fn play(scenario: &Scenario, seeds: &[u64]) -> Vec<Run> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut runs = Vec::new();
        while let Some((place, &seed)) = {
            let place = next.fetch_add(1, Ordering::Relaxed);
            seeds.get(place).map(|seed| (place, seed))
        } {
            runs.push((place, scenario.run(seed)));
        }
        runs
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(seeds.len());
    let mut runs: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, _>| worker.join();
        workers.into_iter().flat_map(|worker| join(worker).expect("a run does not panic")).collect()
    });
    runs.sort_by_key(|(place, _)| *place);
    runs.into_iter().map(|(_, run)| run).collect()
}

impl<'a> Report<'a> {
    fn new(scenario: &'a Scenario, runs: &'a [Run]) -> Self {
        let document = scenario.document();
        let runs: Vec<_> = runs
            .iter()
            .map(|run| Played { seed: run.seed, statistics: run.statistics(scenario), run })
            .collect();
        Self {
            title: &document.title,
            duration_s: document.duration,
            measured_from_s: scenario.measure_from(),
            settled_within_ns: document.settled_within,
            all: All::of(&runs),
            runs,
        }
    }
}

impl All {
    fn of(runs: &[Played<'_>]) -> Self {
        let of = |value: fn(&Statistics) -> f64| runs.iter().map(move |run| value(&run.statistics));
        let settled = runs.iter().map(|run| run.statistics.settled_s);
        let held: Option<Vec<f64>> =
            runs.iter().map(|run| Some(run.statistics.bound.as_ref()?.held)).collect();
        Self {
            rms_ns: rms(of(|statistics| statistics.rms_ns)),
            max_ns: of(|statistics| statistics.max_ns).fold(0.0, f64::max),
            settled_s: settled.reduce(|a, b| Some(a?.max(b?))).flatten(),
            last_rms_ns: rms(of(|statistics| statistics.last_ns)),
            bound_held: held.map(|held| held.iter().sum::<f64>() / held.len() as f64),
        }
    }
}
