//! Everything at once: a million clients that are sent Sync and Announce and ask for Delay_Resp.

use super::contenders::Controller;
use super::load::{Generator, Load, Seen, cpus};
use super::request::Request;
use super::responder::hundredths;
use super::stage::{Link, Stage};
use crate::figures::{Bar, Report, Row};
use crate::netns::Plane;
use anyhow::{Result, ensure};
use ptp_load::Stream;
use std::time::{Duration, Instant};

const CLIENTS: u32 = 1_000_000;
/// How long it must hold.
const HELD: Duration = Duration::from_secs(60);
/// What clients are sent, and at which interval, µs.
const INTERVALS: [(&str, u32); 2] = [("Sync", 1_000_000), ("Announce", 2_000_000)];
/// How far an interval may be off, %.
const MOST_OFF: f64 = 10.0;
/// CPU time that serving may take, cores.
const MOST_CORES: f64 = 0.75;
/// Resident memory and BPF maps, MB.
const MOST_MEMORY: f64 = 400.0;
/// How fast clients come in.
const START_RATE: f64 = 110e3;
/// How fast they ask again, all of them: what is sent to those who have their grants takes its share of the machine.
const AGAIN_RATE: f64 = 50e3;
const START_TIMEOUT: Duration = Duration::from_secs(240);

/// A million clients at one Sync and one Delay_Req a second, and an Announce every two.
pub(super) fn run(report: &mut Report) -> Result<()> {
    let (stage, mut generator, link, controller) = start(CLIENTS)?;
    let load = Load::new(Request::DelayReq, CLIENTS, Some(f64::from(CLIENTS)));
    let idle = generator.run(&stage, &link, Load { dropped: true, ..load }, HELD / 4)?;
    negotiate(&stage, &mut generator, &link, &controller, CLIENTS, 0)?;
    generator.look_at(CLIENTS, INTERVALS.map(|(_, us)| us))?;
    let seen = generator.run(&stage, &link, load, HELD)?;
    let case = "1 M clients, Sync 1/s, Announce 0.5/s, Delay_Req 1/s";
    report.rows.push(Row::new(case, "held for", "s", seen.seconds.round()));
    report.rows.push(Row::new(case, "answered", "% of what was asked", answered(&seen)));
    report.rows.extend(intervals(case, &generator, CLIENTS)?);
    // Once more without looking at every client, which is not the server's work.
    generator.look_at(0, [0; 2])?;
    let uncounted = generator.run(&stage, &link, load, HELD)?;
    let more = |seen: &Seen| hundredths(seen.busy - idle.busy);
    report.rows.push(
        Row::new(case, "CPU of the machine, less that of making the load", "cores", more(&uncounted))
            .judged(Bar::AtMost(MOST_CORES)),
    );
    report.rows.push(Row::new(case, "the same while intervals are counted", "cores", more(&seen)));
    report.rows.push(Row::new(case, "CPU of making the load", "cores", hundredths(idle.busy)));
    report.rows.push(
        Row::new(case, "memory, resident and BPF maps", "MB", hundredths(controller.memory_kb()? / 1024.0))
            .judged(Bar::AtMost(MOST_MEMORY)),
    );
    Ok(())
}

/// A server with that many clients to come.
pub(super) fn start(clients: u32) -> Result<(Stage, Generator, Link, Controller)> {
    let stage = Stage::new()?;
    let mut generator = Generator::new(&stage)?;
    let link = stage.link(1, Plane::Ours, cpus())?;
    generator.listen(&stage, &link)?;
    let controller = Controller::start(&link, clients)?;
    Ok((stage, generator, link, controller))
}

/// Lets clients ask until all have what they asked for; how long that took, s.
pub(super) fn negotiate(
    stage: &Stage,
    generator: &mut Generator,
    link: &Link,
    controller: &Controller,
    clients: u32,
    log_sync_interval: i8,
) -> Result<f64> {
    let started = Instant::now();
    let mut rate = START_RATE.min(10.0 * f64::from(clients));
    let mut load = Load { cpus: 1, ..Load::new(Request::Negotiate { log_sync_interval }, clients, None) };
    while controller.totals(link)? < u64::from(clients) {
        ensure!(
            started.elapsed() < START_TIMEOUT,
            "after {START_TIMEOUT:?} not all clients have their grants"
        );
        let once_around = Duration::from_secs_f64(f64::from(clients) / rate);
        load.rate = Some(rate);
        // Sending may have been slower than that: the next run goes on with the next client.
        load.after += generator.run(stage, link, load, once_around)?.made.iter().sum::<u64>();
        rate = rate.min(AGAIN_RATE);
    }
    Ok(started.elapsed().as_secs_f64())
}

pub(super) fn answered(seen: &Seen) -> f64 {
    let made: u64 = seen.made.iter().sum();
    hundredths(100.0 * seen.all_delay_resps as f64 / made as f64)
}

fn intervals(case: &str, generator: &Generator, clients: u32) -> Result<Vec<Row>> {
    let clients = generator.clients(clients)?;
    let mut all = Vec::new();
    for (stream, (name, interval)) in INTERVALS.into_iter().enumerate() {
        let streams: Vec<Stream> = clients.iter().map(|client| client.streams[stream]).collect();
        all.extend(rows(case, name, &streams, interval.into()));
    }
    Ok(all)
}

/// About the intervals, `interval` µs each, of one message type to every client.
pub(super) fn rows(case: &str, name: &str, streams: &[Stream], interval: f64) -> Vec<Row> {
    let off = |us: u32| 100.0 * (f64::from(us) - interval) / interval;
    let shortest = streams.iter().map(|stream| off(stream.shortest_us)).fold(f64::MAX, f64::min);
    let longest = streams.iter().map(|stream| off(stream.longest_us)).fold(f64::MIN, f64::max);
    let outside = streams.iter().filter(|stream| {
        let is_off = |us| off(us).abs() > MOST_OFF;
        stream.count < 2 || is_off(stream.shortest_us) || is_off(stream.longest_us)
    });
    let jumps: u64 = streams.iter().map(|stream| u64::from(stream.jumps)).sum();
    let metric = |what: &str| format!("{name}: {what}");
    vec![
        Row::new(
            case,
            &metric("clients with an interval that is off by more than 10 %"),
            "",
            outside.count(),
        )
        .judged(Bar::AtMost(0.0)),
        Row::new(case, &metric("shortest interval of all, off by"), "%", hundredths(shortest)),
        Row::new(case, &metric("longest interval of all, off by"), "%", hundredths(longest)),
        Row::new(case, &metric("jumps of sequenceId"), "", jumps).judged(Bar::AtMost(0.0)),
    ]
}
