//! More than the server can take: all CPUs send into one queue, which one CPU at a time empties.

use super::contenders::Ours;
use super::load::{Generator, Load, Seen};
use super::request::Request;
use super::responder::hundredths;
use super::stage::Stage;
use crate::figures::{Bar, Report, Row};
use anyhow::Result;
use std::time::Duration;

const CLIENTS: u32 = 1_000;
/// Frames a second; the last is the one that counts.
const OFFERED: [f64; 9] = [0.5e6, 1e6, 1.5e6, 2e6, 3e6, 4e6, 6e6, 8e6, 10e6];
/// Of the peak, %.
const LEAST: f64 = 80.0;

/// The answered rate against the offered one.
pub(super) fn run(report: &mut Report, seconds: Duration) -> Result<()> {
    let stage = Stage::new()?;
    let mut generator = Generator::new(&stage)?;
    let mut ours = Ours::start(&stage, &mut generator, 1, 1)?;
    ours.grant(CLIENTS)?;
    let case = "1 k clients, one queue";
    let mut runs: Vec<Seen> = Vec::new();
    // At the end as much as there can be, in case that the pace was what kept it below.
    for rate in OFFERED.into_iter().map(Some).chain([None]) {
        let load = Load::new(Request::DelayReq, CLIENTS, rate);
        let seen = generator.run(&stage, &ours.link, load, seconds.min(Duration::from_secs(3)))?;
        let asked = rate.map_or("as much as possible".to_owned(), |rate| format!("{} M/s", rate / 1e6));
        report.rows.push(
            Row::new(&format!("{case}, offered {asked}"), "Delay_Resp", "1/s", seen.delay_resps().round())
                .limited(seen.offered.round()),
        );
        runs.push(seen);
    }
    let peak = runs.iter().map(Seen::delay_resps).fold(0.0, f64::max);
    let most_offered = runs.iter().map(|seen| seen.offered).fold(0.0, f64::max);
    let beyond = runs.iter().skip_while(|seen| seen.delay_resps() < peak);
    let least = beyond.map(Seen::delay_resps).fold(peak, f64::min);
    report.rows.push(Row::new(case, "most offered", "1/s", most_offered.round()).judged(Bar::AtLeast(10e6)));
    report.rows.push(
        Row::new(case, "least answered beyond the peak, of the peak", "%", hundredths(100.0 * least / peak))
            .judged(Bar::AtLeast(LEAST)),
    );
    Ok(())
}
