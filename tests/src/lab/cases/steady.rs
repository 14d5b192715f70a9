//! How well a client's PHC follows the server's, and how fast it comes there, beside ptp4l in the same boot.

use super::pair::number;
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
/// The same where nobody knows of an asymmetry of 2 µs.
const ASYMMETRIC_LOCK: f64 = 3_000.0;
const HOLD: Duration = Duration::from_secs(1);
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);
/// A functional run looks at the truth once our client's own bound is below this, ns.
const BOUND: f64 = 50.0;
const SAMPLE: Duration = Duration::from_millis(50);
/// How long the error is measured after the lock, and at the end of that, when all transients are over.
const AFTER_LOCK: Duration = Duration::from_secs(60);
const SETTLED: Duration = Duration::from_secs(30);
const FUNCTION: Duration = Duration::from_secs(2);

/// What became of one client's clock.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    /// When it was locked, s.
    lock_s: Option<f64>,
    /// True offset from then on.
    after_lock: Option<Spread>,
    /// At the end.
    settled: Option<Spread>,
}

/// 20 ppm drift, 5 µs each way, no jitter.
pub(super) fn symmetric(run: &mut Run) -> Result<()> {
    let [ours, peer] = measure(run, &[], &[], LOCK)?;
    report_lock(run, "symmetric", ours, peer);
    // Both bars: 5 ns, and 1.2 times what ptp4l comes to.
    let limit = peer.after_lock.map_or(5.0, |peer| (1.2 * peer.rms).min(5.0));
    report_rms(run, "symmetric", ours, peer, Bar::AtMost(limit));
    let rms = ours.after_lock.context("no figures")?.rms;
    ensure!(rms < 100.0, "the error is {rms} ns rms");
    Ok(())
}

/// The way from the server takes 4 µs longer: half of that is the error, unless the client is told.
pub(super) fn asymmetric(run: &mut Run) -> Result<()> {
    let delays = ["delay_ns=9000,5000,9000,5000"];
    let both = [
        ("mean_error_with_delay_asymmetry_ns", &["--delay-asymmetry", "2000"][..], 0.0),
        ("mean_error_ns", &[][..], -2_000.0),
    ];
    for (metric, options, expected) in both.into_iter().take(if run.mode == Mode::Function { 1 } else { 2 }) {
        let [ours, peer] = measure(run, &delays, options, ASYMMETRIC_LOCK)?;
        let mean = ours.after_lock.context("no figures")?.mean;
        let mut row = Row::new("asymmetric", metric, "ns", mean);
        if options.is_empty() {
            row = row.beside("ptp4l", peer.after_lock.map(|spread| spread.mean));
        }
        run.report.rows.push(row.judged(Bar::Between(expected - 5.0, expected + 5.0)));
        ensure!((mean - expected).abs() < 100.0, "the mean error is {mean} ns and should be {expected} ns");
    }
    Ok(())
}

/// 400 ns of jitter on every frame. For figures only: it does what the symmetric case does.
pub(super) fn jitter(run: &mut Run) -> Result<()> {
    if run.mode == Mode::Function {
        return Ok(());
    }
    let [ours, peer] = measure(run, &["jitter_ns=400"], &[], LOCK)?;
    report_lock(run, "jitter", ours, peer);
    report_rms(run, "jitter", ours, peer, Bar::BelowPeer);
    Ok(())
}

fn report_lock(run: &mut Run, case: &str, ours: Outcome, peer: Outcome) {
    let row = Row::new(case, "lock_s", "s", ours.lock_s).beside("ptp4l", peer.lock_s);
    run.report.rows.push(row.judged(Bar::Below(10.0)));
}

fn report_rms(run: &mut Run, case: &str, ours: Outcome, peer: Outcome, bar: Bar) {
    let rms = |spread: Option<Spread>| spread.map(|spread| spread.rms);
    let row = |metric, of: fn(Outcome) -> Option<Spread>| {
        Row::new(case, metric, "ns", rms(of(ours))).beside("ptp4l", rms(of(peer)))
    };
    run.report
        .rows
        .push(row("true_offset_rms_ns, 60 s after lock", |outcome| outcome.after_lock).judged(bar));
    run.report.rows.push(row("true_offset_rms_ns, the last 30 s", |outcome| outcome.settled));
}

/// Starts both pairs (in a functional run ours only) and looks at the truth until `AFTER_LOCK` after both are locked:
/// within `limit` ns for `HOLD`.
fn measure(run: &Run, parameters: &[&str], options: &[&str], limit: f64) -> Result<[Outcome; 2]> {
    let mut all = vec!["drift_ppb=0,20000,0,20000"];
    all.extend(parameters);
    let bench = Bench::new(4, &all)?;
    let state = crate::scratch::directory("state")?;
    for client in CLIENT {
        bench.step(client, START)?;
    }
    let _server = ours::server(bench.node(SERVER[0]), &[])?;
    let figures = run.mode == Mode::Figures;
    let _peer_server = figures.then(|| Ptp4l::server(bench.node(SERVER[1]))).transpose()?;
    let started = Instant::now();
    let peer_client = || Ptp4l::client(bench.node(CLIENT[1]), bench.node(SERVER[1]));
    let _peer_client = figures.then(peer_client).transpose()?;
    let client = ours::client(bench.node(CLIENT[0]), &[bench.node(SERVER[0])], options, state.path())?;

    let mut watched = [Watched::new(limit), Watched::new(limit)];
    let end = |watched: &[Watched; 2]| -> Result<Option<f64>> {
        let [ours, peer] = [0, 1].map(|place| watched[place].lock_s);
        if figures {
            return Ok(ours.zip(peer).map(|(ours, peer)| ours.max(peer) + AFTER_LOCK.as_secs_f64()));
        }
        let bound = || number(&ours::stats(bench.node(CLIENT[0]))?, "/bound_ns");
        let settled = ours.is_some() && bound().is_ok_and(|bound| bound < BOUND);
        Ok(settled.then(|| (started.elapsed() + FUNCTION).as_secs_f64()))
    };
    let mut until = None;
    while until.is_none_or(|until| started.elapsed().as_secs_f64() < until) {
        let truth = bench.truth()?;
        let at = started.elapsed().as_secs_f64();
        for (watched, (client, server)) in watched.iter_mut().zip(CLIENT.into_iter().zip(SERVER)) {
            let error = |index| truth.get(&format!("lab{index}")).copied().unwrap_or(f64::NAN);
            watched.push(at, error(client) - error(server));
        }
        if until.is_none() {
            until = end(&watched)?;
            if started.elapsed() > LOCK_TIMEOUT {
                ensure!(watched[0].lock_s.is_some(), "no lock after {LOCK_TIMEOUT:?}\n{}", client.tail());
                // ptp4l may take longer, and then comes to no figures.
                until = Some((LOCK_TIMEOUT + AFTER_LOCK).as_secs_f64());
            }
        }
        sleep(SAMPLE);
    }
    let stats = ours::stats(bench.node(CLIENT[0]))?;
    ensure!(stats["rx_timestamp_source"] == "xdp-hw", "RX stamps: {}", stats["rx_timestamp_source"]);
    ensure!(stats["tx_timestamp_source"] == "socket-hw", "TX stamps: {}", stats["tx_timestamp_source"]);
    ensure!(stats["state"] == "locked", "the client is {}", stats["state"]);
    let last = if figures { SETTLED } else { FUNCTION };
    Ok(watched.map(|watched| watched.outcome(figures, last)))
}

/// A clock's true offset over time.
struct Watched {
    limit: f64,
    /// Since when it has been within the limit, s.
    within: Option<f64>,
    lock_s: Option<f64>,
    /// s and ns.
    offsets: Vec<(f64, f64)>,
}

impl Watched {
    fn new(limit: f64) -> Self {
        Self { limit, within: None, lock_s: None, offsets: Vec::new() }
    }

    fn push(&mut self, at: f64, offset: f64) {
        self.offsets.push((at, offset));
        if offset.abs() > self.limit {
            self.within = None;
        } else if at - *self.within.get_or_insert(at) >= HOLD.as_secs_f64() {
            self.lock_s = self.lock_s.or(Some(at));
        }
    }

    /// After the lock for as long as asked, or in a functional run only the last of it.
    fn outcome(&self, figures: bool, last: Duration) -> Outcome {
        let Some(lock) = self.lock_s else { return Outcome::default() };
        let end = self.offsets.last().map_or(0.0, |(at, _)| *at);
        let between = |from: f64, to: f64| {
            let offsets = self.offsets.iter().filter(|(at, _)| (from..=to).contains(at));
            Spread::of(&offsets.map(|(_, offset)| *offset).collect::<Vec<_>>())
        };
        let settled = between(end - last.as_secs_f64(), end);
        let after_lock = if figures { between(lock, lock + AFTER_LOCK.as_secs_f64()) } else { settled };
        Outcome { lock_s: self.lock_s, after_lock, settled }
    }
}
