//! Stamps that are lost, clocks that others move, links and clocks that go.

use super::pair::{CLIENT, Pair, SERVER, number};
use crate::figures::Row;
use crate::lab::ptp4l::Ptp4l;
use crate::lab::{Bench, Mode, Run, ours};
use anyhow::{Context as _, Result, ensure};
use std::thread::sleep;
use std::time::Duration;

const ENDS: Duration = Duration::from_secs(10);

/// One in 40, of those that the NIC takes of what it sends, then of what it receives.
pub(super) fn stamp_loss(run: &mut Run) -> Result<()> {
    let pair = Pair::locked(&[], &[])?;
    for (parameter, counter) in
        [("tx_stamp_loss", "/counters/tx/stamps_lost"), ("rx_stamp_loss", "/counters/records/stamp_lost")]
    {
        pair.bench.set(parameter, "40")?;
        let worst = pair.stays_locked(run.seconds(8, 60))?;
        pair.bench.set(parameter, "0")?;
        let client = pair.client_stats()?;
        let server = ours::stats(pair.bench.node(SERVER))?;
        let lost = [number(&client, counter)?, number(&server, counter)?];
        ensure!(lost.iter().all(|lost| *lost > 0.0), "nothing was lost, or not counted: {lost:?}");
        ensure!(client["state"] == "locked", "the client is {}", client["state"]);
        run.report.rows.push(Row::new(parameter, "worst_true_offset_ns", "ns", worst));
        run.report.rows.push(Row::new(parameter, "stamps_lost", "", lost[0] + lost[1]));
    }
    drop(pair);
    if run.mode == Mode::Figures {
        peers_stamp_loss(run)?;
    }
    Ok(())
}

/// The same to ptp4l.
fn peers_stamp_loss(run: &mut Run) -> Result<()> {
    let bench = Bench::new(2, &["drift_ppb=0,20000"])?;
    let _server = Ptp4l::server(bench.node(SERVER))?;
    let client = Ptp4l::client(bench.node(CLIENT), bench.node(SERVER))?;
    sleep(Duration::from_secs(15));
    bench.set("tx_stamp_loss", "40")?;
    sleep(Duration::from_secs(30));
    let faulty = client.process.lines(0).iter().filter(|line| line.text.contains("to FAULTY")).count();
    let row = Row::new("tx_stamp_loss", "port_faulty", "times in 30 s", 0).beside("ptp4l", faulty);
    run.report.rows.push(row);
    Ok(())
}

/// Something else steps the PHC.
pub(super) fn foreign_step(run: &mut Run) -> Result<()> {
    let pair = Pair::locked(&[], &[])?;
    for by in [1_000_000_000, -2_500_000] {
        let mark = pair.client.mark();
        pair.bench.step(CLIENT, by)?;
        let event = pair.event("clock_disturbed", mark)?;
        let detail = event.text_of("detail").unwrap_or_default();
        ensure!(detail.contains("moved the clock by"), "{detail}");
        let took = pair.settle()?;
        let row = Row::new("foreign_step", &format!("recovery_from_{by}_ns_s"), "s", took.as_secs_f64());
        run.report.rows.push(row);
    }
    Ok(())
}

/// The link goes and comes.
pub(super) fn link_flap(run: &mut Run) -> Result<()> {
    let pair = Pair::locked(&[], &[])?;
    let mark = pair.client.mark();
    pair.bench.node(CLIENT).ip("link set lab1 down\n")?;
    pair.event("link_down", mark)?;
    sleep(Duration::from_secs(2));
    pair.bench.node(CLIENT).ip("link set lab1 up\n")?;
    pair.event("link_up", mark)?;
    let took = pair.settle()?;
    ensure!(pair.count("step", mark) <= 1, "more than one step after a link flap");
    run.report.rows.push(Row::new("link_flap", "recovery_s", "s", took.as_secs_f64()));
    Ok(())
}

/// The PHC is taken away, as by hot-unplugging.
pub(super) fn clock_taken_away(_run: &mut Run) -> Result<()> {
    let mut pair = Pair::locked(&[], &[])?;
    let mark = pair.client.mark();
    pair.bench.remove_clock(CLIENT)?;
    pair.event("clock_gone", mark)?;
    let status = pair.client.wait_exit(ENDS)?;
    let text = pair.client.tail();
    ensure!(status.code() == Some(1), "it ended with {status}\n{text}");
    ensure!(text.contains("the clock is gone"), "{text}");
    let server = pair.server.terminate(ENDS).context("the server")?;
    ensure!(server.success(), "the server ended with {server}");
    Ok(())
}
