//! How well a client's PHC follows the server's, and how fast it comes there, beside ptp4l in the same boot.

use crate::figures::{Bar, Row, Spread};
use crate::lab::ptp4l::Ptp4l;
use crate::lab::{Bench, Run, ours};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// Ours, then ptp4l's.
const SERVER: [usize; 2] = [0, 2];
const CLIENT: [usize; 2] = [1, 3];
/// How far off the clients start, ns.
const START: i64 = 100_000_000;
/// Within this, ns, for so long, the clock counts as locked.
const LOCK: f64 = 1_000.0;
const HOLD: Duration = Duration::from_secs(2);
const LOCK_TIMEOUT: Duration = Duration::from_secs(40);

/// 20 ppm drift, 5 µs each way, no jitter.
pub(super) fn symmetric(run: &mut Run) -> Result<()> {
    let bench = Bench::new(4, &["drift_ppb=0,20000,0,20000"])?;
    let state = crate::scratch::directory("state")?;
    bench.step(CLIENT[0], START)?;
    bench.step(CLIENT[1], START)?;
    let _server = ours::server(bench.node(SERVER[0]), &[])?;
    let _peer_server = Ptp4l::server(bench.node(SERVER[1]))?;
    let started = Instant::now();
    let client = ours::client(bench.node(CLIENT[0]), &[bench.node(SERVER[0])], &[], state.path())?;
    let _peer = Ptp4l::client(bench.node(CLIENT[1]), bench.node(SERVER[1]))?;
    let lock = bench.settled(CLIENT[0], SERVER[0], LOCK, HOLD, started, LOCK_TIMEOUT)?;
    let stats = ours::stats(bench.node(CLIENT[0]))?;
    ensure!(stats["rx_timestamp_source"] == "xdp-hw", "{stats}");
    ensure!(stats["tx_timestamp_source"] == "socket-hw", "{stats}");
    let _ = client;
    let peer_lock = bench.settled(CLIENT[1], SERVER[1], LOCK, HOLD, started, LOCK_TIMEOUT).ok();
    let during = run.seconds(5, 60);
    let end = Instant::now() + during;
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    while Instant::now() < end {
        let truth = bench.truth()?;
        ours.push(truth["lab1"] - truth["lab0"]);
        peers.push(truth["lab3"] - truth["lab2"]);
        std::thread::sleep(Duration::from_millis(50));
    }
    let (ours, peers) = (Spread::of(&ours), Spread::of(&peers));
    let seconds = |lock: Duration| lock.as_secs_f64();
    run.report.rows.push(
        Row::new("symmetric", "lock_s", "s", seconds(lock))
            .beside("ptp4l", peer_lock.map(seconds))
            .judged(Bar::Below(10.0)),
    );
    run.report.rows.push(
        Row::new("symmetric", "true_offset_rms_ns", "ns", ours.map(|spread| spread.rms))
            .beside("ptp4l", peers.map(|spread| spread.rms))
            .judged(Bar::Below(5.0)),
    );
    Ok(())
}
