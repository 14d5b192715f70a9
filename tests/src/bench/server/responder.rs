//! Delay_Resp a second, at full rate and beyond it.

use super::contenders::{Contender, Ours, SMALLEST};
use super::load::{Generator, Load, Seen, cpus};
use super::request::Request;
use super::stage::Stage;
use crate::figures::{Bar, Report, Row};
use crate::peers::PTP4L;
use anyhow::Result;
use ptp_load::names;
use std::time::Duration;

/// Clients of each case, and whether it is judged.
const SIZES: [(u32, &str, bool); 4] = [
    (1, "1 client", false),
    (1_000, "1 k clients", true),
    (100_000, "100 k clients", true),
    (1_000_000, "1 M clients", true),
];
/// Runs of which the median counts.
const ROUNDS: usize = 5;
/// Frames that are made before the first of them goes, at half load: what a NIC hands over at once.
const HALF_BATCH: u32 = 16;
/// Least share of the smallest responder's rate.
const LEAST_RATIO: f64 = 0.85;
/// Least multiple of ptp4l's rate.
const LEAST_LEAD: f64 = 10.0;
/// What ptp4l is offered, frames a second, to find its best.
const PEER_RATES: [f64; 8] = [200e3, 300e3, 400e3, 500e3, 600e3, 800e3, 1.2e6, 2e6];

/// Ours beside the smallest possible responder, the bare reflector and ptp4l; every run takes `seconds`.
pub(super) fn run(report: &mut Report, seconds: Duration) -> Result<()> {
    let stage = Stage::new()?;
    let mut generator = Generator::new(&stage)?;
    let smallest = Contender::reference(&stage, &mut generator, 1, names::RESPOND)?;
    let reflector = Contender::reference(&stage, &mut generator, 2, names::REFLECT)?;
    let peer = Contender::ptp4l(&stage, &mut generator, 3)?;
    let mut ours = Ours::start(&stage, &mut generator, 4, cpus())?;
    let (best, peer_rows) = peak(&stage, &mut generator, &peer, seconds.min(Duration::from_secs(2)))?;
    report.rows.extend(peer_rows);
    for (clients, case, judged) in SIZES {
        generator.grant(clients)?;
        ours.grant(clients)?;
        let load = Load::new(Request::DelayReq, clients, None);
        let (mut own, mut references) = (Vec::new(), Vec::new());
        for _ in 0..if judged { ROUNDS } else { 1 } {
            references.push(generator.run(&stage, &smallest.link, load, seconds)?);
            own.push(generator.run(&stage, &ours.link, load, seconds)?);
        }
        let reflected = generator.run(&stage, &reflector.link, load, seconds)?;
        let (own, smallest_rate) = (median(&own, Seen::delay_resps), median(&references, Seen::delay_resps));
        report
            .rows
            .push(Row::new(case, "Delay_Resp", "1/s", own.round()).beside(SMALLEST, smallest_rate.round()));
        let ratio = Row::new(case, "ratio to the smallest responder", "", hundredths(own / smallest_rate));
        report.rows.push(if judged { ratio.judged(Bar::AtLeast(LEAST_RATIO)) } else { ratio });
        let reflected = reflected.answered[1];
        report.rows.push(
            Row::new(case, "ratio to the bare reflector", "", hundredths(own / reflected))
                .beside("bare reflector, 1/s", reflected.round()),
        );
        if clients == 1_000 {
            report.rows.push(
                Row::new(case, "ratio to ptp4l's best", "", hundredths(own / best))
                    .beside(PTP4L, best.round())
                    .judged(Bar::AtLeast(LEAST_LEAD)),
            );
        }
        let half = |rate: f64| Load {
            latencies: true,
            batch: HALF_BATCH,
            ..Load::new(Request::DelayReq, clients, Some(rate / 2.0))
        };
        let own = generator.run(&stage, &ours.link, half(own), seconds)?;
        let reference = generator.run(&stage, &smallest.link, half(smallest_rate), seconds)?;
        report.rows.extend(half_load(case, &own, &reference));
    }
    Ok(())
}

fn half_load(case: &str, ours: &Seen, reference: &Seen) -> Vec<Row> {
    let case = format!("{case}, half load");
    let row = |metric: &str, unit: &str, figure: &dyn Fn(&Seen) -> Option<f64>| {
        Row::new(&case, metric, unit, figure(ours)).beside(SMALLEST, figure(reference))
    };
    let share = |seen: &Seen| {
        let made: u64 = seen.made.iter().sum();
        Some(hundredths(100.0 * seen.all_delay_resps as f64 / made as f64))
    };
    let latency = |share: f64| move |seen: &Seen| seen.latency_us(share).map(hundredths);
    vec![
        row("answered", "% of what was asked", &share),
        row("answer that names another client", "", &|seen| Some(seen.wrong as f64)),
        row("time to the answer, median", "us", &latency(0.5)),
        row("time to the answer, 99 %", "us", &latency(0.99)),
        row("time to the answer, 99.9 %", "us", &latency(0.999)),
        row("CPU of the machine, load included", "cores", &|seen| Some(hundredths(seen.busy))),
    ]
}

/// The best that a contender answers, whatever it is offered, and rows about it.
fn peak(
    stage: &Stage,
    generator: &mut Generator,
    peer: &Contender,
    seconds: Duration,
) -> Result<(f64, Vec<Row>)> {
    let mut best = (0.0, 0.0);
    let mut rows = Vec::new();
    for rate in PEER_RATES {
        // One CPU is left to it.
        let load = Load { cpus: 1, ..Load::new(Request::DelayReq, 1_000, Some(rate)) };
        let seen = generator.run(stage, &peer.link, load, seconds)?;
        if seen.delay_resps() > best.0 {
            best = (seen.delay_resps(), seen.offered);
        }
        if rate == PEER_RATES[PEER_RATES.len() - 1] {
            rows.push(
                Row::new("1 k clients, ptp4l offered its worst", "offered", "1/s", seen.offered.round())
                    .beside(PTP4L, seen.delay_resps().round()),
            );
        }
    }
    rows.insert(
        0,
        Row::new("1 k clients, ptp4l offered its best", "offered", "1/s", best.1.round())
            .beside(PTP4L, best.0.round()),
    );
    Ok((best.0, rows))
}

fn median(runs: &[Seen], figure: fn(&Seen) -> f64) -> f64 {
    let mut figures: Vec<f64> = runs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

pub(super) fn hundredths(figure: f64) -> f64 {
    (100.0 * figure).round() / 100.0
}
