//! Our client and servers.

use super::{Figures, LONG_RUNS, RUNS, milliseconds};
use crate::bench::packets::pause;
use crate::netns::{Family, Host, Plane};
use crate::process::{Line, Process};
use crate::program::PtpCtl;
use anyhow::{Context, Result};
use std::time::Duration;

/// Longer than anything here may take by its bar.
const TIMEOUT: Duration = Duration::from_secs(30);
const END_TIMEOUT: Duration = Duration::from_secs(5);
/// From the lock to the next fault.
const SETTLE: Duration = Duration::from_secs(4);
/// The primary is away so long.
const AWAY: Duration = Duration::from_secs(5);

/// Plays all cases, one after the other.
pub(super) fn measure(hosts: &[Host]) -> Result<Figures> {
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [east, west, client] = hosts else { anyhow::bail!("three hosts are needed") };
    let (failover, back) = two_servers(&programs, east, west, client)?;
    Ok(Figures {
        first_offset: first_offset(&programs, east, west, client)?,
        failover,
        back,
        down_2_s: one_server(&programs, east, client, Duration::from_secs(2), RUNS)?,
        down_60_s: one_server(&programs, east, client, Duration::from_secs(60), LONG_RUNS)?,
    })
}

fn first_offset(programs: &PtpCtl, east: &Host, west: &Host, host: &Host) -> Result<Option<f64>> {
    let _servers = [programs.server(east, "east", &[])?, programs.server(west, "west", &[])?];
    let mut worst = None;
    for _ in 0..RUNS {
        let mut client = programs.client(host, Family::V4, &[east, west], &[])?;
        let first =
            client.wait_for("a sample", TIMEOUT, |line| line.time_ns().filter(|_| line.is("sample")))?;
        worst = larger(worst, milliseconds(first - client.started_ns()));
        client.terminate(END_TIMEOUT)?;
        pause(Duration::from_secs(1))?;
    }
    Ok(worst)
}

/// The primary is killed, and comes back.
fn two_servers(
    programs: &PtpCtl,
    east: &Host,
    west: &Host,
    host: &Host,
) -> Result<(Option<f64>, Option<f64>)> {
    let mut primary = programs.server(east, "east", &[])?;
    let _standby = programs.server(west, "west", &[])?;
    let options = ["--revert", "immediate"];
    let mut client = programs.client(host, Family::V4, &[east, west], &options)?;
    client.wait_for("the lock", TIMEOUT, |line| locked(line).then_some(()))?;
    let (mut failover, mut back) = (None, None);
    for _ in 0..RUNS {
        pause(SETTLE)?;
        let mark = client.mark();
        let killed = primary.kill()?;
        failover = larger(failover, milliseconds(used(&client, mark, west)? - killed));
        pause(AWAY)?;
        let mark = client.mark();
        primary = programs.server(east, "east", &[])?;
        back = larger(back, milliseconds(used(&client, mark, east)? - serving_since(&primary)?));
    }
    client.terminate(END_TIMEOUT)?;
    Ok((failover, back))
}

fn one_server(
    programs: &PtpCtl,
    server: &Host,
    host: &Host,
    down: Duration,
    runs: usize,
) -> Result<Option<f64>> {
    let mut serving = programs.server(server, "server", &[])?;
    let mut client = programs.client(host, Family::V4, &[server], &[])?;
    client.wait_for("the lock", TIMEOUT, |line| locked(line).then_some(()))?;
    let mut worst = None;
    for _ in 0..runs {
        pause(SETTLE)?;
        serving.kill()?;
        pause(down)?;
        let mark = client.mark();
        serving = programs.server(server, "server", &[])?;
        worst = larger(worst, milliseconds(used(&client, mark, server)? - serving_since(&serving)?));
    }
    client.terminate(END_TIMEOUT)?;
    Ok(worst)
}

fn locked(line: &Line) -> bool {
    line.is("sample") && line.text_of("state") == Some("locked")
}

/// When the client's servo first used a sample of this server, CLOCK_REALTIME, ns.
fn used(client: &Process, mark: usize, server: &Host) -> Result<i64> {
    let server = server.address(Plane::Ours, Family::V4).to_string();
    client.wait_after(mark, &format!("a sample of {server} in use"), TIMEOUT, |line| {
        let used = line.is("sample") && line.json.as_ref()?["used"] == true;
        line.time_ns().filter(|_| used && line.text_of("server") == Some(&server))
    })
}

/// When a server began to serve, CLOCK_REALTIME, ns.
fn serving_since(server: &Process) -> Result<i64> {
    let lines = server.lines(0);
    lines.iter().find(|line| line.is("start")).and_then(Line::time_ns).context("a server that has started")
}

fn larger(worst: Option<f64>, figure: f64) -> Option<f64> {
    Some(worst.map_or(figure, |worst: f64| worst.max(figure)))
}
