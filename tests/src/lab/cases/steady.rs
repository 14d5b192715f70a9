//! How well a client's PHC follows the server's, and how fast it comes there, beside ptp4l in the same boot.

use crate::figures::{Bar, Row, Spread};
use crate::lab::ptp4l::Ptp4l;
use crate::lab::{Bench, Mode, Run, ours};
use anyhow::{Context as _, Result, ensure};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Ours, then ptp4l's.
const SERVER: [usize; 2] = [0, 2];
const CLIENT: [usize; 2] = [1, 3];
/// How far off the clients start, ns.
const START: i64 = 100_000_000;
/// Within this, ns, for so long, the clock counts as locked.
const LOCK: f64 = 1_000.0;
const HOLD: Duration = Duration::from_secs(1);
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);
const SAMPLE: Duration = Duration::from_millis(50);

/// What both came to.
struct Outcome {
    lock: [Option<Duration>; 2],
    error: [Option<Spread>; 2],
}

/// 20 ppm drift, 5 µs each way, no jitter.
pub(super) fn symmetric(run: &mut Run) -> Result<()> {
    let outcome = measure(run, &[], &[], LOCK)?;
    report_lock(run, "symmetric", &outcome);
    let [ours, peers] = rms(&outcome);
    let row = Row::new("symmetric", "true_offset_rms_ns", "ns", ours).beside("ptp4l", peers);
    // Both bars: 5 ns, and 1.2 times what ptp4l comes to.
    let limit = peers.map_or(5.0, |peers| (1.2 * peers).min(5.0));
    run.report.rows.push(row.judged(Bar::Below(limit)));
    Ok(())
}

/// The way from the server takes 4 µs longer: half of that is the error, unless the client is told.
pub(super) fn asymmetric(run: &mut Run) -> Result<()> {
    let delays = ["delay_ns=9000,5000,9000,5000"];
    let both = [
        ("mean_error_with_delay_asymmetry_ns", &["--delay-asymmetry", "2000"][..], 0.0),
        ("mean_error_ns", &[][..], -2_000.0),
    ];
    for (metric, options, expected) in &both[..if run.mode == Mode::Function { 1 } else { 2 }] {
        let outcome = measure(run, &delays, options, 3_000.0)?;
        let mean = outcome.error[0].context("no figures")?.mean;
        let peer = outcome.error[1].map(|spread| spread.mean);
        run.report.rows.push(Row::new("asymmetric", metric, "ns", mean).beside("ptp4l", peer));
        let distance = (mean - expected).abs();
        let row = Row::new("asymmetric", &format!("{metric}: distance from {expected}"), "ns", distance);
        run.report.rows.push(row.judged(Bar::Below(5.0)));
        ensure!(distance < 100.0, "the mean error is {mean} ns and should be {expected} ns");
    }
    Ok(())
}

/// 400 ns of jitter on every frame. For figures only: it does what the symmetric case does.
pub(super) fn jitter(run: &mut Run) -> Result<()> {
    if run.mode == Mode::Function {
        return Ok(());
    }
    let outcome = measure(run, &["jitter_ns=400"], &[], LOCK)?;
    report_lock(run, "jitter", &outcome);
    let [ours, peers] = rms(&outcome);
    let row = Row::new("jitter", "true_offset_rms_ns", "ns", ours).beside("ptp4l", peers);
    run.report.rows.push(row.judged(Bar::BelowPeer));
    Ok(())
}

fn rms(outcome: &Outcome) -> [Option<f64>; 2] {
    outcome.error.map(|spread| spread.map(|spread| spread.rms))
}

fn report_lock(run: &mut Run, case: &str, outcome: &Outcome) {
    let [ours, peer] = outcome.lock.map(|lock| lock.map(|lock| lock.as_secs_f64()));
    run.report.rows.push(Row::new(case, "lock_s", "s", ours).beside("ptp4l", peer).judged(Bar::Below(10.0)));
}

/// Starts both pairs, waits until both are within `lock` ns, then looks at the truth for a while.
fn measure(run: &Run, parameters: &[&str], options: &[&str], lock: f64) -> Result<Outcome> {
    let mut all = vec!["drift_ppb=0,20000,0,20000"];
    all.extend(parameters);
    let bench = Bench::new(4, &all)?;
    let state = crate::scratch::directory("state")?;
    for client in CLIENT {
        bench.step(client, START)?;
    }
    let _server = ours::server(bench.node(SERVER[0]), &[])?;
    let with_peer = run.mode == Mode::Figures;
    let peer_server = with_peer.then(|| Ptp4l::server(bench.node(SERVER[1]))).transpose()?;
    let started = Instant::now();
    let peer_client = || Ptp4l::client(bench.node(CLIENT[1]), bench.node(SERVER[1]));
    let peer = with_peer.then(peer_client).transpose()?;
    let _client = ours::client(bench.node(CLIENT[0]), &[bench.node(SERVER[0])], options, state.path())?;
    let locks = locks(&bench, lock, started, run.mode)?;
    let stats = ours::stats(bench.node(CLIENT[0]))?;
    ensure!(stats["rx_timestamp_source"] == "xdp-hw", "RX stamps: {}", stats["rx_timestamp_source"]);
    ensure!(stats["tx_timestamp_source"] == "socket-hw", "TX stamps: {}", stats["tx_timestamp_source"]);

    let mut errors = [Vec::new(), Vec::new()];
    let end = Instant::now() + run.seconds(2, 60);
    while Instant::now() < end {
        let truth = bench.truth()?;
        for (errors, (client, server)) in errors.iter_mut().zip(CLIENT.into_iter().zip(SERVER)) {
            let error = |index| truth.get(&format!("lab{index}")).copied().unwrap_or(f64::NAN);
            errors.push(error(client) - error(server));
        }
        sleep(SAMPLE);
    }
    drop((peer, peer_server));
    let [ours, peers] = errors;
    // Without a lock there is nothing to compare with.
    let peers = locks[1].and_then(|_| Spread::of(&peers));
    Ok(Outcome { lock: locks, error: [Spread::of(&ours), peers] })
}

/// How long after `started` both clients came within `limit` ns to stay; ours must, ptp4l may take longer in a
/// functional run.
fn locks(bench: &Bench, limit: f64, started: Instant, mode: Mode) -> Result<[Option<Duration>; 2]> {
    let mut within: [Option<Instant>; 2] = [None; 2];
    loop {
        let now = Instant::now();
        let mut held = [false; 2];
        for (place, (client, server)) in CLIENT.into_iter().zip(SERVER).enumerate() {
            if bench.offset(client, server)?.abs() > limit {
                within[place] = None;
            } else {
                held[place] = now - *within[place].get_or_insert(now) >= HOLD;
            }
        }
        let timeout = now - started > LOCK_TIMEOUT;
        ensure!(!timeout || held[0], "no lock after {LOCK_TIMEOUT:?}");
        if held[0] && (held[1] || timeout || mode == Mode::Function) {
            return Ok([0, 1].map(|place| within[place].filter(|_| held[place]).map(|at| at - started)));
        }
        sleep(SAMPLE);
    }
}
