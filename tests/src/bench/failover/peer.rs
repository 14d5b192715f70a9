//! ptp4l's client and servers. A server of its own takes some seconds to serve again; they do not count.

use super::{Figures, milliseconds};
use crate::bench::packets::pause;
use crate::netns::{Family, Host, Plane};
use crate::peers::{Ptp4l, Rank, Rates, Reading};
use crate::process::realtime_ns;
use anyhow::Result;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

/// It waits for three quarters of a grant of 120 s before it asks a server again, or longer: 3.1.1 had not come back to its primary
/// after 110 s.
const TIMEOUT: Duration = Duration::from_secs(200);
const STEADY: Duration = Duration::from_secs(10);
const AWAY: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(200);

/// Plays all cases at the same time.
pub(super) fn measure(hosts: &[Host]) -> Result<Figures> {
    let [first, second, client, short, short_client, long, long_client] = hosts else {
        anyhow::bail!("seven hosts are needed");
    };
    thread::scope(|scope| {
        let short = scope.spawn(|| one_server(short, short_client, Duration::from_secs(2)));
        let long = scope.spawn(|| one_server(long, long_client, Duration::from_secs(60)));
        let mut figures = two_servers(first, second, client)?;
        let joined = |case: thread::ScopedJoinHandle<'_, Result<Option<f64>>>| {
            case.join().unwrap_or_else(|_| Err(anyhow::anyhow!("measuring ptp4l panicked")))
        };
        figures.down_2_s = joined(short)?;
        figures.down_60_s = joined(long)?;
        Ok(figures)
    })
}

fn two_servers(first: &Host, second: &Host, host: &Host) -> Result<Figures> {
    let mut primary = Ptp4l::server(first, Plane::Peer, Family::V4)?;
    // Right before the client, as `Rank` tells.
    let _standby = Ptp4l::start_server(second, Plane::Peer, Family::V4, Rank::Second)?;
    let client = client(host, &[address(first), address(second)])?;
    let started = client.process.started_ns();
    let first_offset = await_exchange(&client, started)?.map(|at| milliseconds(at - started));
    pause(STEADY)?;
    let before = selected(&client, 0).map(|(_, identity)| identity);
    let killed = primary.process.kill()?;
    let other = await_selected(&client, killed, |identity| Some(identity) != before.as_deref())?;
    let failover = match other {
        Some(at) => await_exchange(&client, at)?.map(|at| milliseconds(at - killed)),
        None => None,
    };
    pause(AWAY)?;
    primary = Ptp4l::server(first, Plane::Peer, Family::V4)?;
    let back_since = realtime_ns();
    let again = await_selected(&client, back_since, |identity| Some(identity) == before.as_deref())?;
    let back = match again {
        Some(at) => await_exchange(&client, at)?.map(|at| milliseconds(at - back_since)),
        None => None,
    };
    drop(primary);
    Ok(Figures { first_offset, failover, back, ..Figures::default() })
}

fn one_server(server: &Host, host: &Host, down: Duration) -> Result<Option<f64>> {
    let mut serving = Ptp4l::server(server, Plane::Peer, Family::V4)?;
    let client = client(host, &[address(server)])?;
    await_exchange(&client, 0)?;
    pause(STEADY)?;
    serving.process.kill()?;
    pause(down)?;
    serving = Ptp4l::server(server, Plane::Peer, Family::V4)?;
    let back_since = realtime_ns();
    let again = await_exchange(&client, back_since)?;
    drop(serving);
    Ok(again.map(|at| milliseconds(at - back_since)))
}

fn client(host: &Host, servers: &[IpAddr]) -> Result<Ptp4l> {
    Ptp4l::client(host, Plane::Peer, Family::V4, servers, Rates::default())
}

fn address(host: &Host) -> IpAddr {
    host.address(Plane::Peer, Family::V4)
}

/// The first decision for a server after that.
fn selected(client: &Ptp4l, after_ns: i64) -> Option<(i64, String)> {
    client.readings(0).into_iter().find_map(|(at, reading)| match reading {
        Reading::Selected(identity) if at > after_ns => Some((at, identity)),
        _ => None,
    })
}

fn await_selected(client: &Ptp4l, after_ns: i64, wanted: impl Fn(&str) -> bool) -> Result<Option<i64>> {
    wait(|| {
        client.readings(0).into_iter().find_map(|(at, reading)| match reading {
            Reading::Selected(identity) if at > after_ns && wanted(&identity) => Some(at),
            _ => None,
        })
    })
}

/// The first complete exchange after that.
fn await_exchange(client: &Ptp4l, after_ns: i64) -> Result<Option<i64>> {
    wait(|| {
        client.readings(0).into_iter().find_map(|(at, reading)| {
            let complete = matches!(reading, Reading::Exchange { .. } | Reading::Offset { .. });
            (complete && at > after_ns).then_some(at)
        })
    })
}

/// `None` if nothing comes in time: that is the peer's figure, and no failure of the bench.
fn wait(mut found: impl FnMut() -> Option<i64>) -> Result<Option<i64>> {
    let mut waited = Duration::ZERO;
    while waited < TIMEOUT {
        if let Some(found) = found() {
            return Ok(Some(found));
        }
        pause(TICK)?;
        waited += TICK;
    }
    Ok(None)
}
