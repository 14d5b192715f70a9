//! What a client makes of real packets: both ends count one clock, so whatever it takes its offset for is its error.
//!
//! One program after the other in the same world, since the packets of each would keep the path warm for the other's.

use crate::figures::{Bar, Report, Row, Spread};
use crate::interrupt;
use crate::netns::{Family, Host, Plane, World};
use crate::peers::{PTP4L, Ptp4l, Rates, Reading};
use crate::process::{Line, Process};
use crate::program::PtpCtl;
use anyhow::{Context, Result};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long each program is measured, after it has settled.
const MEASURED: Duration = Duration::from_secs(40);
/// A client has settled so long after its first offset.
const SETTLE: Duration = Duration::from_secs(8);
/// ptp4l needs 14 s to its first offset.
const START_TIMEOUT: Duration = Duration::from_secs(40);
const END_TIMEOUT: Duration = Duration::from_secs(5);
/// Bulk traffic towards the client, in iperf3's notation.
const BULK: &str = "500M";

/// Whether anything else happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing does.
    Idle,
    /// One CPU busy, and bulk traffic on the link.
    Loaded,
}

impl Condition {
    const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Loaded => "loaded",
        }
    }
}

/// Measures ptp4l and ours, with stamps of either data plane.
pub fn run(report: &mut Report, condition: Condition) -> Result<()> {
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let world = World::new(&["server", "client"])?;
    let [server, client] = world.hosts() else { unreachable!("two names were given") };
    // Before ours: it binds to all interfaces first, and to its own only then.
    let peer_server = Ptp4l::server(server, Plane::Peer, Family::V4)?;
    let peer = spread(&peer_errors(server, client, condition)?);
    for data_plane in ["xdp", "socket"] {
        let ours = spread(&our_errors(&programs, server, client, data_plane, condition)?);
        let case = format!("veth {}, {data_plane}-sw", condition.name());
        let row = |metric: &str, figure: fn(&Figures) -> f64| {
            Row::new(&case, metric, "ns", ours.as_ref().map(figure))
                .beside(PTP4L, peer.as_ref().map(figure))
                .judged(Bar::BelowPeer)
        };
        report.rows.push(row("estimate_error_ns.mean (magnitude)", |figures| figures.mean.abs()));
        report.rows.push(row("estimate_error_ns.scatter", |figures| figures.scatter));
        report.rows.push(row("estimate_error_ns.rms", |figures| figures.rms));
    }
    drop(peer_server);
    Ok(())
}

/// Mean, standard deviation and root mean square, ns.
struct Figures {
    mean: f64,
    scatter: f64,
    rms: f64,
}

fn spread(errors: &[f64]) -> Option<Figures> {
    let Spread { mean, rms, .. } = Spread::of(errors)?;
    let tenth = |ns: f64| (10.0 * ns).round() / 10.0;
    let scatter = (rms * rms - mean * mean).max(0.0).sqrt();
    Some(Figures { mean: tenth(mean), scatter: tenth(scatter), rms: tenth(rms) })
}

/// What our client's estimate was off by, exchange for exchange, ns.
fn our_errors(
    programs: &PtpCtl,
    server: &Host,
    client: &Host,
    data_plane: &str,
    condition: Condition,
) -> Result<Vec<f64>> {
    let mut serving = programs.server(server, "server", &["--data-plane", data_plane])?;
    let mut command = programs.command_with_directories("client");
    command.args(["--json", "--clock", "none", "--data-plane", data_plane, "--server"]);
    command.arg(server.address(Plane::Ours, Family::V4).to_string());
    let mut measuring = client.spawn("client", command)?;
    let error = |line: &Line| line.number_of("estimated_offset_ns").filter(|_| line.is("sample"));
    measuring.wait_for("an estimate", START_TIMEOUT, error)?;
    let errors = observe(&measuring, server, client, Plane::Ours, condition, error)?;
    measuring.terminate(END_TIMEOUT)?;
    serving.terminate(END_TIMEOUT)?;
    Ok(errors)
}

/// What ptp4l's client was off by, once a second, ns.
fn peer_errors(server: &Host, client: &Host, condition: Condition) -> Result<Vec<f64>> {
    let address = server.address(Plane::Peer, Family::V4);
    let peer = Ptp4l::client(client, Plane::Peer, Family::V4, &[address], Rates::default())?;
    let error = |line: &Line| match Reading::parse(&line.text)? {
        Reading::Offset { offset_ns, .. } => Some(offset_ns),
        _ => None,
    };
    peer.process.wait_for("an offset", START_TIMEOUT, error)?;
    observe(&peer.process, server, client, Plane::Peer, condition, error)
}

/// Lets a client settle under the condition, then takes its errors from what it writes.
fn observe(
    program: &Process,
    server: &Host,
    client: &Host,
    plane: Plane,
    condition: Condition,
    error: impl Fn(&Line) -> Option<f64>,
) -> Result<Vec<f64>> {
    let load = (condition == Condition::Loaded).then(|| Load::start(server, client, plane)).transpose()?;
    pause(SETTLE)?;
    let mark = program.mark();
    pause(MEASURED)?;
    let errors = program.lines(mark).iter().filter_map(error).collect();
    if let Some(load) = load {
        load.check()?;
    }
    Ok(errors)
}

/// Sleeps, unless the user wants to stop.
pub(super) fn pause(duration: Duration) -> Result<()> {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        interrupt::check()?;
        thread::sleep(Duration::from_millis(100).min(end.saturating_duration_since(Instant::now())));
    }
    Ok(())
}

/// A busy CPU and bulk traffic, until dropped.
struct Load {
    sender: Process,
    _receiver: Process,
    stop: Arc<AtomicBool>,
    busy: Option<JoinHandle<()>>,
}

impl Load {
    /// From the server's host to the client's.
    fn start(server: &Host, client: &Host, plane: Plane) -> Result<Self> {
        let address = client.address(plane, Family::V4).to_string();
        let iperf3 = |arguments: &[&str]| {
            let mut command = Command::new("iperf3");
            command.args(arguments);
            command
        };
        let receiver = client.spawn("iperf3 receiver", iperf3(&["--server", "--one-off", "--forceflush"]))?;
        receiver.wait_for("iperf3 to listen", END_TIMEOUT, |line| {
            line.text.contains("listening").then_some(())
        })?;
        let seconds = (SETTLE + MEASURED + END_TIMEOUT).as_secs().to_string();
        let sending = ["--client", &address, "--bitrate", BULK, "--time", &seconds, "--forceflush"];
        let sender = server.spawn("iperf3 sender", iperf3(&sending))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let busy = thread::spawn(move || while !stopped.load(Ordering::Relaxed) {});
        Ok(Self { sender, _receiver: receiver, stop, busy: Some(busy) })
    }

    /// The traffic still flows.
    fn check(mut self) -> Result<()> {
        self.sender.check_alive().context("the bulk traffic ended too early")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(busy) = self.busy.take() {
            // It cannot panic.
            let _ = busy.join();
        }
    }
}
