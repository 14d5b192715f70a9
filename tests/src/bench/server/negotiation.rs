//! The controller: Signaling a second, and the memory of a million clients.

use super::contenders::Controller;
use super::load::{Generator, Load, Seen, cpus};
use super::request::Request;
use super::responder::hundredths;
use super::stage::Stage;
use crate::figures::{Bar, Report, Row};
use crate::netns::Plane;
use anyhow::{Result, ensure};
use ptp_common::wire::MessageType;
use std::time::{Duration, Instant};

/// Clients, each with three grants.
const CLIENTS: u32 = 1_000_000;
/// Messages a second that the controller must answer, on one core.
const LEAST_RATE: f64 = 100e3;
/// Octets of the controller's memory for a client, BPF maps included.
const MOST_OCTETS: f64 = 400.0;
/// How fast the clients come in at first.
const START_RATE: f64 = 110e3;
/// What the controller is offered, messages a second, to find its best.
const RATES: [f64; 6] = [100e3, 150e3, 200e3, 250e3, 300e3, 400e3];
/// A million clients are in after this.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Clients come in and renew; what they were granted is sent to them meanwhile.
pub(super) fn run(report: &mut Report, seconds: Duration) -> Result<()> {
    let stage = Stage::new()?;
    let mut generator = Generator::new(&stage)?;
    let link = stage.link(1, Plane::Ours, cpus())?;
    generator.listen(&stage, &link)?;
    let controller = Controller::start(&link, CLIENTS)?;
    controller.pin()?;
    let started = Instant::now();
    // The load on the first CPU, the controller on the last.
    let load = |rate| Load {
        cpus: 1,
        ..Load::new(Request::Negotiate { log_sync_interval: 0 }, CLIENTS, Some(rate))
    };
    let step = Duration::from_secs(1);
    while controller.totals(&link)? < u64::from(CLIENTS) {
        ensure!(
            started.elapsed() < START_TIMEOUT,
            "after {START_TIMEOUT:?} not all clients have their grants"
        );
        generator.run(&stage, &link, load(START_RATE), step)?;
    }
    let start_s = started.elapsed().as_secs_f64();
    let memory_kb = controller.memory_kb()?;
    let case = "1 M clients, 3 grants each";
    report.rows.push(Row::new(case, "all granted after", "s", hundredths(start_s)));
    report.rows.push(
        Row::new(
            case,
            "memory of a client, BPF maps included",
            "octets",
            (memory_kb * 1024.0 / f64::from(CLIENTS)).round(),
        )
        .judged(Bar::AtMost(MOST_OCTETS)),
    );
    let mut best: Option<(Seen, f64)> = None;
    for rate in RATES {
        let cpu = controller.cpu_s()?;
        let begin = Instant::now();
        let seen = generator.run(&stage, &link, load(rate), seconds.min(Duration::from_secs(5)))?;
        let cores = (controller.cpu_s()? - cpu) / begin.elapsed().as_secs_f64();
        let answered = |seen: &Seen| seen.of(MessageType::Signaling);
        if best.as_ref().is_none_or(|(best, _)| answered(&seen) > answered(best)) {
            best = Some((seen, cores));
        }
    }
    if let Some((seen, cores)) = best {
        let case = "1 M clients renew, three TLVs a message";
        report.rows.push(
            Row::new(case, "Signaling answered", "1/s", seen.of(MessageType::Signaling).round())
                .judged(Bar::AtLeast(LEAST_RATE)),
        );
        report.rows.push(Row::new(case, "offered for that", "1/s", seen.offered.round()));
        report.rows.push(Row::new(case, "CPU of the controller", "cores", hundredths(cores)));
        report.rows.push(Row::new(case, "CPU of the machine, load included", "cores", hundredths(seen.busy)));
    }
    Ok(())
}
