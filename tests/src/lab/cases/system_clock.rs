//! `--also-system-clock`: CLOCK_REALTIME follows the client's PHC, a server's PHC follows CLOCK_REALTIME.

use super::another_user::USER;
use super::pair::{CLIENT, Pair, SERVER};
use crate::figures::{Bar, Row};
use crate::lab::ptp4l::Ptp4l;
use crate::lab::{Bench, Mode, Run, ours};
use anyhow::{Context as _, Result, bail, ensure};
use ptp_ctl::clock::{Clock as _, Leap, SystemClock, kernel_tai_offset};
use serde_json::json;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// TAI - UTC, s. The devices' clocks start on UTC, which they take for TAI: the system clock has to go back.
pub(super) const TAI: i32 = 37;
/// Both clocks are to be within this, ns.
const LIMIT: f64 = 1_000.0;
const HOLD: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(40);
const SAMPLE: Duration = Duration::from_millis(50);

pub(super) fn system_follows(run: &mut Run) -> Result<()> {
    // One of them as another user, who may do it by one capability more than with a PHC alone.
    let as_user = ["--also-system-clock", "--user", USER];
    let methods = [
        ("cross=0", "plain", &as_user[..1]),
        ("cross=1", "extended", &as_user[..1]),
        ("cross=2", "precise", &as_user[..]),
    ];
    // The extended ones are those of the other cases, and a functional run has no time for the plain ones.
    let skipped = if run.mode == Mode::Function { 2 } else { 0 };
    for (cross, method, options) in methods.into_iter().skip(skipped) {
        let mut system = SystemClock::open(true)?;
        system.set_utc(TAI, Leap::None)?;
        system.set_frequency(30_000.0)?;
        let pair = Pair::locked(&[cross], options)?;
        let started = Instant::now();
        settle(&pair.bench, CLIENT, LIMIT, started)?;
        let worst = worst(&pair.bench, CLIENT, run.seconds(1, 30))?;
        let stats = pair.client_stats()?;
        ensure!(stats["system_clock"]["cross_stamps"] == method, "{}", stats["system_clock"]);
        if options == as_user {
            let kept = &stats["process"]["capabilities"];
            ensure!(kept == &json!(["CAP_NET_ADMIN", "CAP_SYS_TIME"]), "kept: {kept}");
        }
        ensure!(kernel_tai_offset()? == Some(TAI), "the kernel lost TAI - UTC");
        let metric = format!("worst_error_ns ({method} cross-stamps)");
        let row = Row::new("system_clock", &metric, "ns", worst).judged(Bar::Below(LIMIT));
        run.report.rows.push(row);
    }
    Ok(())
}

pub(super) fn phc_follows(run: &mut Run) -> Result<()> {
    SystemClock::open(true)?.set_utc(TAI, Leap::None)?;
    let bench = Bench::new(1, &["drift_ppb=-15000"])?;
    let server = ours::server(bench.node(SERVER), &["--also-system-clock"])?;
    settle(&bench, SERVER, LIMIT, Instant::now()).with_context(|| server.tail())?;
    let worst = worst(&bench, SERVER, run.seconds(1, 30))?;
    let row = Row::new("system_clock", "worst_error_ns (a server's PHC follows)", "ns", worst);
    run.report.rows.push(row.judged(Bar::Below(LIMIT)));
    Ok(())
}

/// A leap second is announced, and is not any more: the kernel is told.
pub(super) fn leap_second(_run: &mut Run) -> Result<()> {
    let mut system = SystemClock::open(true)?;
    system.set_utc(TAI, Leap::None)?;
    let bench = Bench::new(2, &["drift_ppb=0,20000"])?;
    let state = crate::scratch::directory("state")?;
    let server = Ptp4l::server(bench.node(SERVER))?;
    server.set_leap61(bench.node(SERVER), true)?;
    let servers = [bench.node(SERVER)];
    let client = ours::client(bench.node(CLIENT), &servers, &["--also-system-clock"], state.path())?;
    for leap61 in [true, false] {
        server.set_leap61(bench.node(SERVER), leap61)?;
        let deadline = Instant::now() + TIMEOUT;
        while kernel_inserts()? != leap61 {
            ensure!(Instant::now() < deadline, "leap61 {leap61} did not reach the kernel\n{}", client.tail());
            sleep(SAMPLE);
        }
        ensure!(kernel_tai_offset()? == Some(TAI), "the kernel lost TAI - UTC");
    }
    Ok(())
}

/// Will the kernel insert a leap second at the end of the day?
fn kernel_inserts() -> Result<bool> {
    let output = Command::new("busybox").arg("adjtimex").output().context("cannot run adjtimex")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let status = text.lines().find(|line| line.contains("status:")).context("adjtimex tells no status")?;
    Ok(status.contains("INS"))
}

/// CLOCK_REALTIME minus UTC of a PHC that counts TAI, ns.
fn error(bench: &Bench, phc: usize) -> Result<f64> {
    let truth = bench.truth()?;
    let of = |name: &str| truth.get(name).copied().with_context(|| format!("no truth about {name}"));
    Ok(of("realtime")? - (of(&format!("lab{phc}"))? - f64::from(TAI) * 1e9))
}

pub(super) fn settle(bench: &Bench, phc: usize, limit: f64, started: Instant) -> Result<()> {
    let mut within: Option<Instant> = None;
    loop {
        let error = error(bench, phc)?;
        let now = Instant::now();
        if error.abs() > limit {
            within = None;
        } else if now - *within.get_or_insert(now) > HOLD {
            return Ok(());
        }
        if now - started > TIMEOUT {
            bail!("PHC and system clock are {error:.0} ns apart after {TIMEOUT:?}");
        }
        sleep(SAMPLE);
    }
}

pub(super) fn worst(bench: &Bench, phc: usize, during: Duration) -> Result<f64> {
    let end = Instant::now() + during;
    let mut worst = 0.0_f64;
    while Instant::now() < end {
        worst = worst.max(error(bench, phc)?.abs());
        sleep(SAMPLE);
    }
    ensure!(worst < 100.0 * LIMIT, "PHC and system clock went {worst:.0} ns apart");
    Ok(worst)
}
