//! How long a client is without time when servers come and go, beside ptp4l on the same namespaces; and what only a
//! simulation can know.

pub mod crowd;
mod long;
mod ours;
mod peer;
mod simulated;

pub use crowd::run as run_crowd;
pub use long::run as run_long;
pub use simulated::run as run_simulated;

use crate::figures::{Bar, Report, Row};
use crate::netns::World;
use crate::peers::PTP4L;
use anyhow::Result;
use std::thread;

/// Repetitions of each of our cases; the worst one counts. ptp4l has one of each: its cases take minutes.
const RUNS: usize = 5;
/// The same of an outage of a minute.
const LONG_RUNS: usize = 2;

/// Each of ptp4l's cases has hosts of its own: it binds to all interfaces first, and to its own only then.
const HOSTS: [&str; 9] =
    ["east", "west", "client", "peer1", "peer2", "peerclient", "peer3", "peershort", "peer4"];
/// One more for the client of the last.
const LAST_HOST: &str = "peerlong";

/// One figure of each, ms; `None` where nothing came of it.
#[derive(Clone, Debug, Default)]
struct Figures {
    first_offset: Option<f64>,
    failover: Option<f64>,
    back: Option<f64>,
    down_2_s: Option<f64>,
    down_60_s: Option<f64>,
}

/// Real packets: ours and ptp4l at the same time.
pub fn run_packets(report: &mut Report) -> Result<()> {
    let names: Vec<&str> = HOSTS.into_iter().chain([LAST_HOST]).collect();
    let world = World::new(&names)?;
    let hosts = world.hosts();
    let (ours, peer) = thread::scope(|scope| {
        let peer = scope.spawn(|| peer::measure(&hosts[3..]));
        let ours = ours::measure(&hosts[..3]);
        (ours, peer.join().unwrap_or_else(|_| Err(anyhow::anyhow!("measuring ptp4l panicked"))))
    });
    let (ours, peer) = (ours?, peer?);
    let worst = format!("worst of {RUNS}");
    let row = |case: &str, figure: fn(&Figures) -> Option<f64>, runs: &str, limit: f64| {
        Row::new(case, &format!("ms, {runs}"), "ms", figure(&ours))
            .beside(PTP4L, figure(&peer))
            .judged(Bar::Below(limit))
    };
    report.rows.push(row("client start to first offset", |figures| figures.first_offset, &worst, 300.0));
    report.rows.push(row("primary killed to other used", |figures| figures.failover, &worst, 500.0));
    report.rows.push(row("primary back to in use", |figures| figures.back, &worst, 1_000.0));
    report.rows.push(row("only server, after 2 s down", |figures| figures.down_2_s, &worst, 1_500.0));
    let worst = format!("worst of {LONG_RUNS}");
    report.rows.push(row("only server, after 60 s down", |figures| figures.down_60_s, &worst, 6_000.0));
    Ok(())
}

/// In ms, to a tenth.
fn milliseconds(ns: i64) -> f64 {
    (ns as f64 / 1e5).round() / 10.0
}
