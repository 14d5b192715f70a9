//! The demo: two servers, a router and a client that starts milliseconds off, in namespaces, with the real programs;
//! then a server dies, comes back, and a router drops in silence. ptp4l does the same beside it.

mod measure;
mod narrate;
mod plot;
mod stage;

use crate::figures::{Bar, Report, Row};
use crate::interrupt;
use anyhow::{Context, Result, bail};
use measure::{ClientLog, Fault, PeerLog};
use stage::Stage;
use std::path::PathBuf;

/// The demo's command line.
#[derive(Debug, clap::Parser)]
#[command(name = "demo", about = "PTP over a router with failover, in network namespaces")]
pub struct Options {
    /// The ptp-ctl program.
    #[arg(long, value_name = "FILE")]
    pub ptp_ctl: PathBuf,
    /// Write the figures to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the offset over time into this SVG file.
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}

/// Plays it and reports. Fails if anything did not work or a figure missed its bar.
pub fn run(options: &Options) -> Result<()> {
    interrupt::install()?;
    let mut stage = Stage::set(&options.ptp_ctl)?;
    let played = stage.play();
    if interrupt::check().is_err() {
        return played;
    }
    // What was measured until something failed is worth seeing too.
    let ours = stage.client_log();
    let peer = stage.peer_log();
    let faults = stage.faults().clone();
    let ended = stage.strike();
    let report = report(&ours, peer.as_ref(), &faults);
    println!("\n{}", report.table());
    if let Some(path) = &options.json {
        report.write_json(path)?;
        println!("figures: {}", path.display());
    }
    if let Some(path) = &options.plot {
        plot::draw(path, &ours, peer.as_ref()).with_context(|| format!("cannot draw {}", path.display()))?;
        println!("plot: {}", path.display());
    }
    played?;
    ended?;
    let missed: Vec<String> = report.missed().map(|row| format!("{} ({})", row.metric, row.case)).collect();
    if !missed.is_empty() {
        bail!("missed its bar: {}", missed.join(", "));
    }
    println!("Everything worked.");
    Ok(())
}

/// The peer's name in the figures.
const PEER: &str = "ptp4l";

fn report(ours: &ClientLog, peer: Option<&PeerLog>, faults: &Faults) -> Report {
    let mut report = Report::new("demo");
    let mut row = |row: Row| report.rows.push(row);
    // Nothing beside ours if there is no peer at all, nulls if it has not come to the figure.
    let beside = |row: Row, figure: &dyn Fn(&PeerLog) -> Option<f64>| match peer {
        Some(peer) => row.beside(PEER, figure(peer)),
        None => row,
    };

    let first = Row::new("start", "first_offset_ms", "ms", ours.first_offset_ms());
    row(beside(first, &PeerLog::first_offset_ms).judged(Bar::Below(1000.0)));
    let lock = ours.lock_ms(faults.sigkill.as_ref().map(|fault| fault.at_ns));
    row(Row::new("start", "lock_ms", "ms", lock));
    for (metric, word) in [
        ("xdp_mode", &ours.xdp_mode),
        ("rx_timestamp_source", &ours.rx_timestamp_source),
        ("tx_timestamp_source", &ours.tx_timestamp_source),
    ] {
        row(Row::new("start", metric, "", word.clone()));
    }

    let until = faults.sigkill.as_ref().map(|fault| fault.at_ns);
    let steady = until.and_then(|until| ours.steady_error(until));
    let peer_steady = |peer: &PeerLog| faults.peer_sigkill.and_then(|until| peer.steady_error(until));
    let spread = |metric: &str, ours: Option<f64>, peer: &dyn Fn(&PeerLog) -> Option<f64>| {
        beside(Row::new("steady", metric, "ns", ours), peer)
    };
    row(spread("steady_error_ns.mean", steady.map(|s| s.mean), &|peer| Some(peer_steady(peer)?.mean)));
    row(spread("steady_error_ns.rms", steady.map(|s| s.rms), &|peer| Some(peer_steady(peer)?.rms))
        .judged(Bar::BelowBoth(1000.0)));
    row(spread("steady_error_ns.max", steady.map(|s| s.max), &|peer| Some(peer_steady(peer)?.max)));

    let failover = |fault: &Option<Fault>| fault.as_ref().and_then(|fault| ours.failover_ms(fault));
    let sigkill = Row::new("sigkill", "failover_ms", "ms", failover(&faults.sigkill));
    let peer_failover = |peer: &PeerLog| peer.failover_ms(faults.peer_sigkill?);
    row(beside(sigkill, &peer_failover).judged(Bar::Below(1000.0)));
    row(Row::new("router_drop", "failover_ms", "ms", failover(&faults.router_drop))
        .judged(Bar::Below(1000.0)));
    report
}

/// What was done to the client, as far as it was.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    sigkill: Option<Fault>,
    router_drop: Option<Fault>,
    /// When ptp4l's server was killed, CLOCK_REALTIME in ns.
    peer_sigkill: Option<i64>,
}
