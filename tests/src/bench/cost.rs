//! What a client costs at 128 Sync and 128 Delay_Req a second, beside ptp4l.

use super::packets::pause;
use crate::figures::{Report, Row};
use crate::netns::{Family, Host, Plane, World};
use crate::peers::{PTP4L, Ptp4l, Rates};
use crate::process::Process;
use crate::program::PtpCtl;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MEASURED: Duration = Duration::from_secs(20);
const START_TIMEOUT: Duration = Duration::from_secs(40);
/// From the first offset to what it costs for good.
const SETTLE: Duration = Duration::from_secs(5);
const END_TIMEOUT: Duration = Duration::from_secs(5);
/// log2 of the interval: 128 a second.
const LOG_INTERVAL: i8 = -7;

/// Measures both. Neither client writes more than it does by default.
pub fn run(report: &mut Report) -> Result<()> {
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let world = World::new(&["server", "client"])?;
    let [server, client] = world.hosts() else { unreachable!("two names were given") };
    let peer_server = Ptp4l::server(server, Plane::Peer, Family::V4)?;
    let peer = peer_cost(server, client)?;
    drop(peer_server);
    for data_plane in ["xdp", "socket"] {
        let ours = our_cost(&programs, server, client, data_plane)?;
        let case = format!("client at 128 Sync/s, {data_plane}-sw");
        let beside = |metric: &str, unit: &str, figure: fn(&Cost) -> f64| {
            Row::new(&case, metric, unit, figure(&ours)).beside(PTP4L, figure(&peer))
        };
        report.rows.push(beside("cpu", "% of a core", |cost| cost.cpu_percent));
        report.rows.push(beside("packets received", "1/s", |cost| cost.packets_per_second));
        report.rows.push(beside("memory, resident", "kB", |cost| cost.resident_kb));
        report.rows.push(beside("memory, BPF maps", "kB", |cost| cost.maps_kb));
    }
    Ok(())
}

/// What a program took.
struct Cost {
    /// CPU time of all of its threads.
    cpu_percent: f64,
    packets_per_second: f64,
    resident_kb: f64,
    /// What the kernel holds for its BPF maps and programs.
    maps_kb: f64,
}

fn our_cost(programs: &PtpCtl, server: &Host, client: &Host, data_plane: &str) -> Result<Cost> {
    let mut serving = programs.server(server, "server", &["--data-plane", data_plane])?;
    let interval = LOG_INTERVAL.to_string();
    let mut command = programs.command_with_directories("client");
    command.args(["--clock", "virtual", "--data-plane", data_plane]);
    command.args(["--log-sync-interval", &interval, "--log-delay-resp-interval", &interval, "--server"]);
    command.arg(server.address(Plane::Ours, Family::V4).to_string());
    let mut running = client.spawn("client", command)?;
    running.wait_for("the lock", START_TIMEOUT, |line| line.text.contains("(servo_locked)").then_some(()))?;
    let cost = measure(&running, client, Plane::Ours)?;
    running.terminate(END_TIMEOUT)?;
    serving.terminate(END_TIMEOUT)?;
    Ok(cost)
}

fn peer_cost(server: &Host, client: &Host) -> Result<Cost> {
    let address = server.address(Plane::Peer, Family::V4);
    let rates =
        Rates { log_sync_interval: LOG_INTERVAL, log_delay_req_interval: LOG_INTERVAL, ..Rates::default() };
    let peer = Ptp4l::quiet_client(client, Plane::Peer, Family::V4, &[address], rates)?;
    peer.process
        .wait_for("an offset", START_TIMEOUT, |line| line.text.contains("master offset").then_some(()))?;
    measure(&peer.process, client, Plane::Peer)
}

fn measure(program: &Process, host: &Host, plane: Plane) -> Result<Cost> {
    pause(SETTLE)?;
    let (cpu, packets) = (cpu_ns(program)?, host.received_packets(plane)?);
    pause(MEASURED)?;
    let seconds = MEASURED.as_secs_f64();
    let cpu = (cpu_ns(program)? - cpu) as f64 * 1e-9;
    let packets = host.received_packets(plane)? - packets;
    Ok(Cost {
        cpu_percent: (1e4 * cpu / seconds).round() / 100.0,
        packets_per_second: (packets as f64 / seconds).round(),
        resident_kb: resident_kb(program)?,
        maps_kb: maps_kb(program)?,
    })
}

fn proc(program: &Process, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}/{file}", program.pid()))
}

/// CPU time of all threads so far, ns (Linux, Documentation/scheduler/sched-stats.rst).
pub(super) fn cpu_ns(program: &Process) -> Result<u64> {
    let mut total = 0;
    for task in fs::read_dir(proc(program, "task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let first = text.split_whitespace().next().context("schedstat is empty")?;
        total += first.parse::<u64>().context("schedstat is no number")?;
    }
    Ok(total)
}

pub(super) fn resident_kb(program: &Process) -> Result<f64> {
    resident(&proc(program, "status"))
}

/// The same of this program.
pub(super) fn own_resident_kb() -> Result<f64> {
    resident(Path::new("/proc/self/status"))
}

fn resident(status: &Path) -> Result<f64> {
    let status = fs::read_to_string(status)?;
    number_after(&status, "VmRSS:").context("no VmRSS in /proc/PID/status")
}

/// What the kernel accounts for BPF objects that it holds open (`memlock` in fdinfo).
pub(super) fn maps_kb(program: &Process) -> Result<f64> {
    let mut octets = 0.0;
    for entry in fs::read_dir(proc(program, "fdinfo"))? {
        // A descriptor may have been closed since.
        let Ok(text) = fs::read_to_string(entry?.path()) else { continue };
        octets += number_after(&text, "memlock:").unwrap_or(0.0);
    }
    Ok((octets / 1024.0).round())
}

fn number_after(text: &str, key: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}
