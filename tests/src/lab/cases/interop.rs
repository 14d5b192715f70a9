//! Ours and ptp4l, each as the other's server, with hardware stamps on both sides.

use crate::figures::Row;
use crate::lab::ptp4l::Ptp4l;
use crate::lab::{Bench, Run, ours};
use anyhow::Result;
use std::time::{Duration, Instant};

const SERVER: usize = 0;
const CLIENT: usize = 1;
/// ptp4l as a server tells PTP's timescale; both count the same seconds.
const LOCK: f64 = 1_000.0;
const HOLD: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(40);

pub(super) fn client_of_ptp4l(run: &mut Run) -> Result<()> {
    let bench = Bench::new(2, &["drift_ppb=0,20000"])?;
    bench.step(CLIENT, 100_000_000)?;
    let state = crate::scratch::directory("state")?;
    let _server = Ptp4l::server(bench.node(SERVER))?;
    let started = Instant::now();
    let _client = ours::client(bench.node(CLIENT), &[bench.node(SERVER)], &[], state.path())?;
    row(run, &bench, "our client, ptp4l's server", started)
}

pub(super) fn server_of_ptp4l(run: &mut Run) -> Result<()> {
    let bench = Bench::new(2, &["drift_ppb=0,20000"])?;
    bench.step(CLIENT, 100_000_000)?;
    let _server = ours::server(bench.node(SERVER), &[])?;
    let started = Instant::now();
    let _client = Ptp4l::client(bench.node(CLIENT), bench.node(SERVER))?;
    row(run, &bench, "ptp4l's client, our server", started)
}

fn row(run: &mut Run, bench: &Bench, what: &str, started: Instant) -> Result<()> {
    let lock = bench.settled(CLIENT, SERVER, LOCK, HOLD, started, TIMEOUT)?;
    run.report.rows.push(Row::new("interop", &format!("{what}: lock_s"), "s", lock.as_secs_f64()));
    let offsets = bench.offsets(CLIENT, SERVER, run.seconds(1, 20))?;
    let rms = crate::figures::Spread::of(&offsets).map(|spread| spread.rms);
    run.report.rows.push(Row::new("interop", &format!("{what}: true_offset_rms_ns"), "ns", rms));
    Ok(())
}
