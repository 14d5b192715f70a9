//! More than the server can take, in two ways: the CPUs that send also answer, or one answers what all others send.

use super::contenders::Ours;
use super::load::{Generator, Load, Seen, cpus};
use super::request::Request;
use super::responder::hundredths;
use super::stage::Stage;
use crate::figures::{Bar, Report, Row};
use anyhow::{Result, ensure};
use std::time::Duration;

const CLIENTS: u32 = 1_000;
/// Frames a second; the last is the one that counts.
const OFFERED: [f64; 9] = [0.5e6, 1e6, 1.5e6, 2e6, 3e6, 4e6, 6e6, 8e6, 10e6];
/// Most that is offered must be this, 1/s.
const MOST: f64 = 10e6;
/// Of the peak, %.
const LEAST: f64 = 80.0;

/// The answered rate against the offered one.
pub(super) fn run(report: &mut Report, seconds: Duration) -> Result<()> {
    ensure!(cpus() > 1, "to offer more than can be answered takes two CPUs");
    let seconds = seconds.min(Duration::from_secs(3));
    let stage = Stage::new()?;
    let mut generator = Generator::new(&stage)?;
    let mut most_offered = 0.0_f64;
    for (number, case, queues, senders) in
        [(1, "a queue for each CPU", cpus(), cpus()), (2, "one queue, a CPU of its own", 1, cpus() - 1)]
    {
        let mut ours = Ours::start(&stage, &mut generator, number, queues)?;
        if senders < cpus() {
            ours.link.receive_on(senders)?;
        }
        ours.grant(CLIENTS)?;
        let mut runs: Vec<Seen> = Vec::new();
        // At the end as much as there can be, in case that the pace was what kept it below.
        for rate in OFFERED.into_iter().map(Some).chain([None]) {
            let load = Load { cpus: senders, ..Load::new(Request::DelayReq, CLIENTS, rate) };
            let seen = generator.run(&stage, &ours.link, load, seconds)?;
            let asked = rate.map_or("as much as possible".to_owned(), |rate| format!("{} M/s", rate / 1e6));
            report.rows.push(
                Row::new(
                    &format!("{case}, offered {asked}"),
                    "Delay_Resp",
                    "1/s",
                    seen.delay_resps().round(),
                )
                .limited(seen.offered.round()),
            );
            runs.push(seen);
        }
        let peak = runs.iter().map(Seen::delay_resps).fold(0.0, f64::max);
        most_offered = runs.iter().map(|seen| seen.offered).fold(most_offered, f64::max);
        let beyond = runs.iter().skip_while(|seen| seen.delay_resps() < peak);
        let least = beyond.map(Seen::delay_resps).fold(peak, f64::min);
        report.rows.push(
            Row::new(
                case,
                "least answered beyond the peak, of the peak",
                "%",
                hundredths(100.0 * least / peak),
            )
            .judged(Bar::AtLeast(LEAST)),
        );
    }
    report.rows.push(
        Row::new("1 k clients", "most offered", "1/s", most_offered.round()).judged(Bar::AtLeast(MOST)),
    );
    Ok(())
}
