//! Two ports of one NIC, with one clock behind both: a server and a client on two each, and a client behind either port of the server.

use super::pair::{LOCK, number};
use crate::figures::{Bar, Row, Spread};
use crate::lab::{Bench, Mode, Node, Run, ours};
use crate::process::{Line, Process};
use anyhow::{Context as _, Result, ensure};
use ptp_ctl::net::timestamping;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SERVER: [usize; 2] = [0, 1];
/// What has two ports as well, and what is behind the first and the second port of the server only.
const BOTH: [usize; 2] = [2, 3];
const SINGLE: [usize; 2] = [4, 5];
const CLIENTS: [(&str, usize); 3] =
    [("both ports", BOTH[0]), ("the first port", SINGLE[0]), ("the second port", SINGLE[1])];
/// Of the second ports, and of who is behind the server's second port: a network of its own.
const SECOND: [&str; 3] = ["10.9.1.2", "10.9.1.4", "10.9.1.6"];
const HOLD: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(40);
const ENDS: Duration = Duration::from_secs(10);
/// Where everything is well, in ns: in a functional run, which looks too early for the bar, and for figures.
const RMS_FUNCTION: f64 = 100.0;
const RMS: f64 = 5.0;

/// Everything started, and what is kept for it.
struct Ports {
    bench: Bench,
    server: Process,
    /// On both ports.
    both: Process,
    alone: [Process; 2],
    _state: TempDir,
}

pub(super) fn shared_clock(run: &mut Run) -> Result<()> {
    with_stamps_of(run, "xdp-hw", &[])?;
    if run.mode == Mode::Figures {
        with_stamps_of(run, "socket-hw", &["metadata=0"])?;
    }
    Ok(())
}

fn with_stamps_of(run: &mut Run, source: &str, parameters: &[&str]) -> Result<()> {
    let ports = Ports::start(source, parameters)?;
    let bench = &ports.bench;
    let started = Instant::now();
    for (_, index) in CLIENTS {
        bench.settled(index, SERVER[0], LOCK, HOLD, started, TIMEOUT).with_context(|| ports.tails())?;
    }
    let rms = rms(bench, CLIENTS.map(|(_, index)| index), run.seconds(1, 60))?;
    for ((name, _), rms) in CLIENTS.into_iter().zip(rms) {
        let metric = format!("true_offset_rms_ns over {name} ({source})");
        run.report.rows.push(Row::new("shared_clock", &metric, "ns", rms).judged(Bar::AtMost(RMS)));
        ensure!(rms < RMS_FUNCTION, "over {name} the error is {rms} ns rms");
    }
    for (index, own) in [(SERVER[0], &SERVER[..]), (BOTH[0], &BOTH), (SINGLE[0], &[]), (SINGLE[1], &[])] {
        let stats = ours::stats(bench.node(index))?;
        all_are_stamped(&stats, source).with_context(|| format!("lab{index}: {stats:#}"))?;
        one_clock_stamps(bench.node(index), own, source)?;
    }
    let stats = ours::stats(bench.node(SERVER[0]))?;
    ensure!(stats["also_interfaces"] == json!(["lab1"]), "{stats:#}");
    ensure!(stats["clients"].as_array().map(Vec::len) == Some(4), "{stats:#}");
    over_the_port_that_is_left(run, bench, &ports.both, source)?;
    ports.end(source)
}

impl Ports {
    /// The client with two ports takes a program that was attached to both before.
    fn start(source: &str, parameters: &[&str]) -> Result<Self> {
        let mut all = vec!["clock_of=0,0,2,2,4,5", "drift_ppb=0,0,20000,0,-15000,8000"];
        all.extend(parameters);
        let bench = Bench::new(6, &all)?;
        for (index, by_ns) in [(BOTH[0], 10_000_000), (SINGLE[0], -7_000_000), (SINGLE[1], 5_000_000)] {
            bench.step(index, by_ns)?;
        }
        bench.join(SERVER[1], SERVER[0], SECOND[0])?;
        bench.join(BOTH[1], BOTH[0], SECOND[1])?;
        bench.node(SINGLE[1]).readdress(SECOND[2])?;
        let [server_port, both_port] = [SERVER[1], BOTH[1]].map(|index| bench.node(index).interface());
        let first = bench.node(SERVER[0]).address().to_string();

        let server = ours::server(bench.node(SERVER[0]), &["--also-interface", &server_port])?;
        if source == "xdp-hw" {
            let options = ["--also-interface", &both_port, "--json"];
            let attached = ours::run(bench.node(BOTH[0]), "attach", &options)?;
            ensure!(attached.stdout.contains("\"nic_stamps\":true"), "attach: {attached:?}");
        }
        let state = ours::state_directory()?;
        let client = |index: usize, options: &[&str]| {
            let node = bench.node(index);
            ours::at(node, &node.interface(), "client", options, state.path())
        };
        let options = [
            ["--also-interface", &both_port],
            ["--server", &first],
            ["--server", SECOND[0]],
            ["--wait-to-restore", "1"],
        ];
        let both = client(BOTH[0], options.as_flattened())?;
        let alone = [client(SINGLE[0], &["--server", &first])?, client(SINGLE[1], &["--server", SECOND[0]])?];
        Ok(Self { server, both, alone, _state: state, bench })
    }

    fn tails(&self) -> String {
        let [first, second] = &self.alone;
        [&self.both, first, second].map(Process::tail).join("\n")
    }

    fn end(self, source: &str) -> Result<()> {
        let Self { bench, server, both, alone, _state } = self;
        for mut process in [both].into_iter().chain(alone).chain([server]) {
            let status = process.terminate(ENDS)?;
            ensure!(status.success(), "{} ended with {status}\n{}", process.name(), process.tail());
        }
        if source == "xdp-hw" {
            let detached = ours::run(bench.node(BOTH[0]), "detach", &[])?;
            ensure!(detached.code == Some(0), "detach: {detached:?}");
        }
        for (index, interface) in
            SERVER.map(|index| (SERVER[0], index)).into_iter().chain(BOTH.map(|index| (BOTH[0], index)))
        {
            ours::nothing_is_left(bench.node(index), &format!("lab{interface}"))?;
        }
        Ok(())
    }
}

/// Of each clock against the server's, ns, all over the same time.
fn rms<const N: usize>(bench: &Bench, clocks: [usize; N], during: Duration) -> Result<[f64; N]> {
    let end = Instant::now() + during;
    let mut offsets: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    while Instant::now() < end {
        for (offsets, clock) in offsets.iter_mut().zip(clocks) {
            offsets.push(bench.offset(clock, SERVER[0])?);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(offsets.map(|offsets| Spread::of(&offsets).map_or(f64::NAN, |spread| spread.rms)))
}

/// By the NIC, in both directions, and no stamp is lost or another interface's.
fn all_are_stamped(stats: &Value, source: &str) -> Result<()> {
    ensure!(stats["rx_timestamp_source"] == source, "rx_timestamp_source");
    ensure!(stats["tx_timestamp_source"] == "socket-hw", "tx_timestamp_source");
    ensure!(stats["role"] == "server" || stats["state"] == "locked", "state");
    let rx = ["rx/stamp_lost", "rx/other_interface"];
    let tx = ["tx/stamps_lost", "tx/stamps_unmatched", "tx/send_errors"];
    let xdp: &[_] = match source {
        "xdp-hw" => &["rx/event_via_socket", "xdp/no_stamp", "records/stamp_lost"],
        _ => &[],
    };
    for counter in rx.iter().chain(&tx).chain(xdp) {
        ensure!(number(stats, &format!("/counters/{counter}"))? == 0.0, "{counter}");
    }
    Ok(())
}

/// All of them have the same PHC, stamp by it, and have the program where that takes the stamps.
fn one_clock_stamps(node: &Node, interfaces: &[usize], source: &str) -> Result<()> {
    let mut clocks = Vec::new();
    for name in interfaces.iter().map(|index| format!("lab{index}")) {
        clocks.push(node.enter(|| Ok(timestamping(&name)?.phc_index))?);
        let stamps = ours::shown(node, "hwstamp_ctl", &["-i", &name])?;
        ensure!(stamps.contains("tx_type 1") && !stamps.contains("rx_filter 0"), "{name}: {stamps}");
        let link = ours::shown(node, "ip", &["link", "show", &name])?;
        ensure!(link.contains("prog/xdp") == (source == "xdp-hw"), "the program: {link}");
    }
    let is_one = clocks.windows(2).all(|pair| pair[0].is_some() && pair[0] == pair[1]);
    ensure!(is_one, "{interfaces:?} have the clocks {clocks:?}");
    Ok(())
}

/// The link of the port in use goes and comes: the clock runs on, and so does the client by what comes over the other.
fn over_the_port_that_is_left(run: &mut Run, bench: &Bench, client: &Process, source: &str) -> Result<()> {
    let node = bench.node(BOTH[0]);
    let mut worst = 0.0_f64;
    for (way, server) in [("down", SECOND[0]), ("up", "10.9.0.1")] {
        let mark = client.mark();
        node.ip(&format!("link set {} {way}", node.interface()))?;
        let selected = |line: &Line| line.is_event("selected") && line.text_of("server") == Some(server);
        let deadline = Instant::now() + TIMEOUT;
        while !client.lines(mark).iter().any(selected) {
            ensure!(Instant::now() < deadline, "{server} was not selected\n{}", client.tail());
            worst = watch(bench, Duration::from_millis(50), worst)?;
        }
        worst = watch(bench, run.seconds(1, 10), worst)?;
        for event in ["step", "clock_disturbed"] {
            let count = client.lines(mark).iter().filter(|line| line.is_event(event)).count();
            ensure!(count == 0, "{event} with the link {way}\n{}", client.tail());
        }
    }
    let metric = format!("worst_true_offset_ns with a link that flaps ({source})");
    let row = Row::new("shared_clock", &metric, "ns", worst);
    run.report.rows.push(row.judged(Bar::Below(LOCK)));
    Ok(())
}

fn watch(bench: &Bench, during: Duration, worst: f64) -> Result<f64> {
    let offsets = bench.offsets(BOTH[0], SERVER[0], during)?;
    Ok(offsets.into_iter().fold(worst, |worst, offset| worst.max(offset.abs())))
}
