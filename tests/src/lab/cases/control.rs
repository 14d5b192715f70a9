//! attach and detach, what is chosen without the better choice, and what is kept from run to run.

use super::pair::{CLIENT, LOCK, Pair, SERVER};
use crate::figures::Row;
use crate::lab::{Bench, Run, ours};
use crate::program::Ended;
use anyhow::{Context as _, Result, ensure};
use nix::libc::{HWTSTAMP_FILTER_NONE, HWTSTAMP_FILTER_PTP_V2_L4_EVENT, HWTSTAMP_TX_OFF, HWTSTAMP_TX_ON};
use std::process::Command;
use std::time::{Duration, Instant};

const ENDS: Duration = Duration::from_secs(10);
/// How long the truth is watched when something was done.
const LOOK: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(30);

/// Another attach is refused, a detach too unless it is forced; the client is told.
pub(super) fn attach_and_detach(_run: &mut Run) -> Result<()> {
    let pair = Pair::locked(&[], &[])?;
    let node = pair.bench.node(CLIENT);
    let refused = ours::run(node, "attach", &[])?;
    ensure!(refused.code == Some(1) && refused.stderr.contains("ptp_xdp"), "attach: {}", refused.stderr);
    let detached = ours::run(node, "detach", &[])?;
    ensure!(detached.code == Some(1), "detach found pins where there are none");
    pair.stays_locked(LOOK)?;
    let Pair { bench, server, client, state } = pair;
    drop(client);

    let node = bench.node(CLIENT);
    let attached = ours::run(node, "attach", &["--json"])?;
    ensure!(
        attached.stdout.contains("\"nic_stamps\":true"),
        "attach: {}{}",
        attached.stdout,
        attached.stderr
    );
    let client = ours::client(node, &[bench.node(SERVER)], &[], state.path())?;
    let mut pair = Pair { bench, server, client, state };
    pair.settle(Instant::now())?;
    let node = pair.bench.node(CLIENT);
    let refused = ours::run(node, "detach", &[])?;
    ensure!(refused.code == Some(1) && refused.stderr.contains("--force"), "detach: {}", refused.stderr);
    pair.stays_locked(LOOK)?;
    let mark = pair.client.mark();
    let forced = ours::run(node, "detach", &["--force"])?;
    ensure!(forced.code == Some(0), "detach --force: {}", forced.stderr);
    pair.event("detached", mark)?;
    let status = pair.client.wait_exit(ENDS)?;
    ensure!(status.code() == Some(1), "the client ended with {status}");
    ensure!(pair.client.tail().contains("was taken off lab1"), "{}", pair.client.tail());
    Ok(())
}

/// Attaching resets the NIC: its clock jumps, its rate is the nominal one, the link is gone for a moment.
pub(super) fn reset_on_attach(run: &mut Run) -> Result<()> {
    let started = Instant::now();
    let pair = Pair::locked(&["reset_on_attach=1"], &[])?;
    ensure!(pair.count("step", 0) <= 2, "{} steps", pair.count("step", 0));
    run.report.rows.push(Row::new("reset_on_attach", "lock_s", "s", started.elapsed().as_secs_f64()));
    pair.stays_locked(LOOK).map(|_| ())
}

/// The NIC stamps by the smallest filter that serves while a controller runs, and as before when it has ended.
pub(super) fn stamp_filter(_run: &mut Run) -> Result<()> {
    let bench = Bench::new(1, &[])?;
    let node = bench.node(SERVER);
    let filter = || {
        let mut command = Command::new("/bin/hwstamp_ctl");
        command.args(["-i", &node.interface()]);
        let ended = Ended::of(node.spawn("hwstamp_ctl", command)?)?;
        let number = |name| {
            let value = ended.stdout.lines().find_map(|line| line.strip_prefix(name))?;
            value.trim().parse::<u32>().ok()
        };
        number("tx_type").zip(number("rx_filter")).with_context(|| format!("no filter in {ended:?}"))
    };
    let before = filter()?;
    ensure!(before == (HWTSTAMP_TX_OFF, HWTSTAMP_FILTER_NONE), "{before:?} before a controller ran");
    let mut server = ours::server(node, &[])?;
    let during = filter()?;
    ensure!(during == (HWTSTAMP_TX_ON, HWTSTAMP_FILTER_PTP_V2_L4_EVENT), "{during:?} while it runs");
    let status = server.terminate(ENDS)?;
    ensure!(status.success(), "the server ended with {status}");
    let after = filter()?;
    ensure!(after == before, "{after:?} afterwards");
    Ok(())
}

/// The frequency stays when the client ends, and is there when it starts again.
pub(super) fn drift_is_kept(run: &mut Run) -> Result<()> {
    let mut pair = Pair::locked(&[], &[])?;
    pair.stays_locked(LOOK)?;
    let status = pair.client.terminate(ENDS)?;
    ensure!(status.success(), "the client ended with {status}");
    let stored = stored_ppb(&pair)?;
    ensure!((stored + 20_000.0).abs() < 100.0, "{stored} ppb were stored");
    let before = pair.bench.offset(CLIENT, SERVER)?;
    let after = pair.bench.offsets(CLIENT, SERVER, Duration::from_secs(3))?;
    let drifted = after.last().context("no offsets")? - before;
    ensure!(drifted.abs() < 300.0, "the clock went off by {drifted} ns in 3 s without the client");
    run.report.rows.push(Row::new("drift", "drift_after_exit_ppb", "ppb", drifted / 3.0));

    // As after a power cycle: the rate is forgotten, the file is not.
    let Pair { bench, server, client, state } = pair;
    drop((client, server, bench));
    let bench = Bench::new(2, &["drift_ppb=0,20000"])?;
    let server = ours::server(bench.node(SERVER), &[])?;
    let started = Instant::now();
    let client = ours::client(bench.node(CLIENT), &[bench.node(SERVER)], &[], state.path())?;
    let lock = bench
        .settled(CLIENT, SERVER, LOCK, Duration::from_secs(2), started, TIMEOUT)
        .with_context(|| client.tail())?;
    run.report.rows.push(Row::new("drift", "lock_with_stored_drift_s", "s", lock.as_secs_f64()));
    drop(server);
    Ok(())
}

fn stored_ppb(pair: &Pair) -> Result<f64> {
    let entry = std::fs::read_dir(pair.state.path())?.next().context("no state file")??;
    Ok(std::fs::read_to_string(entry.path())?.trim().parse()?)
}

/// A driver that gives no stamps to XDP programs: the socket's are taken, and a demand for the others is refused.
pub(super) fn socket_stamps(_run: &mut Run) -> Result<()> {
    let pair = Pair::locked(&["metadata=0"], &[])?;
    let stats = pair.client_stats()?;
    ensure!(stats["rx_timestamp_source"] == "socket-hw", "RX stamps: {}", stats["rx_timestamp_source"]);
    ensure!(stats["data_plane"] == "socket", "data plane: {}", stats["data_plane"]);
    ensure!(stats["rx_timestamp_reason"].is_string(), "no reason why not xdp-hw");
    let Pair { bench, client, .. } = pair;
    drop(client);
    let options = ["--clock", "phc", "--server", "10.9.0.1", "--rx-timestamp", "xdp-hw"];
    let refused = ours::run(bench.node(CLIENT), "client", &options)?;
    ensure!(refused.code == Some(1) && refused.stderr.contains("socket-hw"), "{}", refused.stderr);
    Ok(())
}
