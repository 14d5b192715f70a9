//! The controller: Signaling a second, and the memory of a million clients.

use super::fleet::{negotiate, start};
use super::load::{Load, Seen};
use super::request::Request;
use super::responder::hundredths;
use crate::figures::{Bar, Report, Row};
use anyhow::Result;
use ptp_common::wire::MessageType;
use std::time::{Duration, Instant};

/// Clients, each with three grants.
const CLIENTS: u32 = 1_000_000;
/// Messages a second that the controller must answer, on one core.
const LEAST_RATE: f64 = 100e3;
/// Octets of the controller's memory for a client, BPF maps included.
const MOST_OCTETS: f64 = 400.0;
/// What the controller is offered, messages a second, to find its best.
const RATES: [f64; 6] = [100e3, 150e3, 200e3, 250e3, 300e3, 400e3];

/// Clients come in and renew; what they were granted is sent to them meanwhile.
pub(super) fn run(report: &mut Report, seconds: Duration) -> Result<()> {
    let (stage, mut generator, link, controller) = start(CLIENTS)?;
    controller.pin()?;
    let start_s = negotiate(&stage, &mut generator, &link, &controller, CLIENTS, 0)?;
    // The load on the first CPU, the controller on the last.
    let load = |rate| Load {
        cpus: 1,
        ..Load::new(Request::Negotiate { log_sync_interval: 0 }, CLIENTS, Some(rate))
    };
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
