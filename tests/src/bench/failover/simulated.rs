//! What only a simulation can know: the true error through a switch.

use crate::figures::{Bar, Report, Row};
use crate::sim::{CLIENT, SERVER_A, SERVER_B, client, errors, events, secs, server};
use anyhow::Result;
use ptp_ctl::engine::event::Kind;
use ptp_ctl::sim::{Delay, NodeId, Oscillator, Path, World};
use std::time::Duration;

const SEEDS: u64 = 20;
/// How far apart two servers are whose difference is to be bridged, ns.
const APART_NS: f64 = 5e3;
/// Rate at which that may happen, ns/s: the client's default.
const RATE: f64 = 1e3;
/// What a clock's rate may be off by besides, ns in a second.
const RATE_NOISE: f64 = 30.0;

/// Plays both cases.
pub fn run(report: &mut Report) -> Result<()> {
    let case = "primary killed, simulated";
    let ratio = (0..SEEDS).map(error_through_switch).fold(0.0, f64::max);
    let ratio = (100.0 * ratio).round() / 100.0;
    let metric = format!("true error.max / steady rms, worst of {SEEDS}");
    report.rows.push(Row::new(case, &metric, "", ratio).judged(Bar::Below(3.0)));

    let case = "servers 5 us apart, simulated";
    let (mut steps, mut fastest) = (0, 0.0_f64);
    for seed in 0..SEEDS {
        let (steps_here, fastest_here) = bridge(seed);
        steps += steps_here;
        fastest = fastest.max(fastest_here);
    }
    report.rows.push(Row::new(case, "steps", "", steps).judged(Bar::AtMost(0.0)));
    let bar = Bar::AtMost(RATE + RATE_NOISE);
    report.rows.push(Row::new(case, "fastest change of the true error", "ns/s", fastest.round()).judged(bar));
    Ok(())
}

/// A client of two servers over delays that vary, after some time.
fn settled(seed: u64, apart_ns: f64) -> (World, NodeId, NodeId) {
    let mut world = World::new(seed);
    let delay = Delay::constant(Duration::from_micros(50)).plus_exponential(Duration::from_nanos(200));
    world.set_default_path(Path::new(delay));
    let primary = world.add_server(SERVER_A, server(2), Oscillator::PERFECT);
    world.add_server(SERVER_B, server(3), Oscillator::new(apart_ns, 0.0));
    let client = world.add_client(CLIENT, client(&[SERVER_A, SERVER_B]), Oscillator::new(1e6, 10e3));
    world.run_for(secs(120.0));
    world.take_reports();
    (world, primary, client)
}

/// The largest true error in 10 s from the death of the primary on, in steady root mean squares.
fn error_through_switch(seed: u64) -> f64 {
    let (mut world, primary, client) = settled(seed, 0.0);
    world.run_for(secs(120.0));
    let steady = errors(&world.take_reports());
    let rms = (steady.iter().map(|error| error * error).sum::<f64>() / steady.len() as f64).sqrt();
    world.kill(primary);
    let mut largest = 0.0_f64;
    for _ in 0..1_000 {
        world.run_for(Duration::from_millis(10));
        largest = largest.max(world.true_error_ns(client).abs());
    }
    largest / rms
}

/// Steps, and the fastest change of the true error in any second until the other server's time is reached, ns/s.
fn bridge(seed: u64) -> (usize, f64) {
    let (mut world, primary, client) = settled(seed, APART_NS);
    world.kill(primary);
    let mut before = world.true_error_ns(client);
    let mut fastest = 0.0_f64;
    for _ in 0..20 {
        world.run_for(secs(1.0));
        let error = world.true_error_ns(client);
        fastest = fastest.max((error - before).abs());
        before = error;
    }
    // One that did not get there did not switch.
    let steps = events(&world.take_reports(), Kind::Step).len();
    if (before - APART_NS).abs() > 500.0 { (steps, f64::INFINITY) } else { (steps, fastest) }
}
