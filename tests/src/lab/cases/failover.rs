//! Two servers: one dies, comes back, and is used again; the PHC does not notice.

use crate::figures::{Bar, Row};
use crate::lab::{Bench, Run, ours};
use crate::process::Process;
use anyhow::Result;
use std::time::{Duration, Instant};

const CLIENT: usize = 1;
const SERVERS: [usize; 2] = [0, 2];
const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn failover(run: &mut Run) -> Result<()> {
    let bench = Bench::new(3, &["drift_ppb=0,20000,0"])?;
    bench.step(CLIENT, 10_000_000)?;
    let state = crate::scratch::directory("state")?;
    let mut first = ours::server(bench.node(SERVERS[0]), &[])?;
    let _second = ours::server(bench.node(SERVERS[1]), &[])?;
    let servers = SERVERS.map(|index| bench.node(index));
    let options = ["--wait-to-restore", "2"];
    let client = ours::client(bench.node(CLIENT), &servers, &options, state.path())?;
    bench.settled(CLIENT, SERVERS[0], 200.0, Duration::from_secs(2), Instant::now(), TIMEOUT)?;

    let after = run.seconds(1, 10);
    let mark = client.mark();
    let killed = Instant::now();
    first.kill()?;
    let (worst, took) =
        watch_until_selected(&bench, &client, mark, &servers[1].address().to_string(), killed, after)?;
    row(run, "switch", worst);
    run.report.rows.push(Row::new("failover", "switch_s", "s", took.as_secs_f64()).judged(Bar::Below(1.0)));

    let mark = client.mark();
    let back = Instant::now();
    let _first = ours::server(bench.node(SERVERS[0]), &[])?;
    let (worst, took) =
        watch_until_selected(&bench, &client, mark, &servers[0].address().to_string(), back, after)?;
    row(run, "return", worst);
    run.report.rows.push(Row::new("failover", "return_s", "s", took.as_secs_f64()));
    Ok(())
}

fn row(run: &mut Run, what: &str, worst: f64) {
    let metric = format!("worst_true_offset_at_{what}_ns");
    run.report.rows.push(Row::new("failover", &metric, "ns", worst).judged(Bar::Below(1_000.0)));
}

/// The largest true offset until `after` after the client has selected `server`, and when that was.
fn watch_until_selected(
    bench: &Bench,
    client: &Process,
    mark: usize,
    server: &str,
    since: Instant,
    after: Duration,
) -> Result<(f64, Duration)> {
    let mut worst = 0.0_f64;
    let mut selected: Option<Instant> = None;
    loop {
        worst = worst.max(bench.offset(CLIENT, SERVERS[0])?.abs());
        let now = Instant::now();
        let line =
            |line: &crate::process::Line| line.is_event("selected") && line.text_of("server") == Some(server);
        if selected.is_none() && client.lines(mark).iter().any(line) {
            selected = Some(now);
        }
        match selected {
            Some(at) if now - at > after => return Ok((worst, at - since)),
            None if now - since > TIMEOUT => anyhow::bail!("{server} was not selected\n{}", client.tail()),
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
