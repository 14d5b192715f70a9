//! Stamps that are lost, clocks that others move, links and clocks that go.

use super::pair::{CLIENT, Pair, SERVER, number};
use crate::figures::{Bar, Row};
use crate::lab::ptp4l::Ptp4l;
use crate::lab::{Bench, Mode, Run, ours};
use anyhow::{Context as _, Result, ensure};
use std::thread::sleep;
use std::time::{Duration, Instant};

const ENDS: Duration = Duration::from_secs(10);
/// How long the truth is watched between looks at the counters.
const LOOK: Duration = Duration::from_secs(1);
/// How much longer it may take until one stamp in 40 was lost at both ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// One in 40, of those that the NIC takes of what it sends, then of what it receives.
pub(super) fn stamp_loss(run: &mut Run) -> Result<()> {
    let peer = (run.mode == Mode::Figures).then(peers_stamp_loss).transpose()?;
    let pair = Pair::locked(&[], &[])?;
    let (tx, rx) = ("/counters/tx/stamps_lost", "/counters/records/stamp_lost");
    // The server's program answers Delay_Req itself.
    let answered = "/counters/xdp/no_stamp";
    for (parameter, of_client, of_server, peer) in
        [("tx_stamp_loss", tx, tx, peer), ("rx_stamp_loss", rx, answered, None)]
    {
        let mark = pair.client.mark();
        pair.bench.set(parameter, "40")?;
        let lost = || -> Result<[f64; 2]> {
            let server = ours::stats(pair.bench.node(SERVER))?;
            Ok([number(&pair.client_stats()?, of_client)?, number(&server, of_server)?])
        };
        let (mut worst, end) = (0.0, Instant::now() + run.seconds(4, 60));
        let mut counted = lost()?;
        while Instant::now() < end || counted.contains(&0.0) {
            ensure!(Instant::now() < end + PATIENCE, "nothing was lost, or not counted: {counted:?}");
            worst = pair.stays_locked(LOOK)?.max(worst);
            counted = lost()?;
        }
        pair.bench.set(parameter, "0")?;
        let state = &pair.client_stats()?["state"];
        ensure!(state == "locked", "the client is {state}");
        let mut row = Row::new(parameter, "interruptions", "in 60 s", pair.count("unusable", mark));
        if let Some(peer) = peer {
            row = row.beside("ptp4l", peer);
        }
        run.report.rows.push(row.judged(Bar::AtMost(0.0)));
        run.report.rows.push(Row::new(parameter, "worst_true_offset_ns", "ns", worst));
        run.report.rows.push(Row::new(parameter, "stamps_lost", "", counted[0] + counted[1]));
    }
    Ok(())
}

/// The same to ptp4l: how often its port is faulty while TX stamps are lost.
fn peers_stamp_loss() -> Result<usize> {
    let bench = Bench::new(2, &["drift_ppb=0,20000"])?;
    let _server = Ptp4l::server(bench.node(SERVER))?;
    let client = Ptp4l::client(bench.node(CLIENT), bench.node(SERVER))?;
    sleep(Duration::from_secs(15));
    bench.set("tx_stamp_loss", "40")?;
    sleep(Duration::from_secs(60));
    Ok(client.process.lines(0).iter().filter(|line| line.text.contains("to FAULTY")).count())
}

/// Something else steps the PHC.
pub(super) fn foreign_step(run: &mut Run) -> Result<()> {
    let pair = Pair::locked(&[], &[])?;
    for by in [1_000_000_000, -2_500_000] {
        let mark = pair.client.mark();
        let stepped = Instant::now();
        pair.bench.step(CLIENT, by)?;
        let event = pair.event("clock_disturbed", mark)?;
        let detail = event.text_of("detail").unwrap_or_default();
        ensure!(detail.contains("moved the clock by"), "{detail}");
        let took = pair.settle(stepped)?;
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
    let up = Instant::now();
    pair.bench.node(CLIENT).ip("link set lab1 up\n")?;
    pair.event("link_up", mark)?;
    let took = pair.settle(up)?;
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
