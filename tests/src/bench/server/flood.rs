//! Good clients beside a flood of packets that are not to be answered.

use super::fleet::{negotiate, start};
use super::load::{Load, cpus};
use super::request::Request;
use crate::figures::{Bar, Report, Row};
use anyhow::{Result, ensure};
use std::time::Duration;

const CLIENTS: u32 = 10_000;

/// Every good client asks once a second, from the last CPU; the flood comes from the others at full rate.
pub(super) fn run(report: &mut Report, seconds: Duration) -> Result<()> {
    ensure!(cpus() > 1, "a flood beside good clients takes two CPUs");
    let (stage, mut generator, link, controller) = start(CLIENTS)?;
    negotiate(&stage, &mut generator, &link, &controller, CLIENTS, 0)?;
    let good = Load { cpus: 1, ..Load::new(Request::DelayReq, CLIENTS, Some(f64::from(CLIENTS))) };
    for (request, name) in [(Request::Stranger, "unknown clients"), (Request::Malformed, "malformed packets")]
    {
        let flood = Load { cpus: cpus() - 1, ..Load::new(request, 1_000_000, None) };
        let seen = generator.run_all(&stage, &link, &[flood, good], seconds)?;
        let case = format!("10 k good clients beside a flood of {name}");
        report.rows.push(Row::new(&case, "flood", "1/s", (seen.made[0] as f64 / seen.seconds).round()));
        let unanswered = seen.made[1].saturating_sub(seen.all_delay_resps);
        report.rows.push(
            Row::new(&case, "Delay_Req of good clients not answered", "", unanswered)
                .judged(Bar::AtMost(0.0)),
        );
        report.rows.push(Row::new(&case, "Delay_Req of good clients", "", seen.made[1]));
    }
    Ok(())
}
