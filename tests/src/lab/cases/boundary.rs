//! A boundary clock between two networks, on two NICs with a clock each: the second follows the first, and the client that.

use crate::figures::{Bar, Row, Spread};
use crate::lab::{Bench, Node, Run, ours};
use anyhow::{Context as _, Result, ensure};
use std::thread::sleep;
use std::time::{Duration, Instant};

const GRANDMASTER: usize = 0;
/// Both in one machine: the one that faces the grandmaster, and the one that faces the client.
const BOUNDARY: [usize; 2] = [1, 2];
const CLIENT: usize = 3;
/// Where the boundary clock and its client are.
const ADDRESSES: [&str; 2] = ["10.9.1.3", "10.9.1.4"];
/// Every clock is to be within this of the grandmaster's, ns.
const LIMIT: f64 = 1_000.0;
/// Nothing is that far off which follows anything, ns.
const WRONG: f64 = 100_000.0;
const HOLD: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(60);
const SAMPLE: Duration = Duration::from_millis(50);

pub(super) fn boundary(run: &mut Run) -> Result<()> {
    let bench = Bench::new(4, &["drift_ppb=0,20000,-15000,8000", "cross=2"])?;
    for (index, by_ns) in [(BOUNDARY[0], 10_000_000), (BOUNDARY[1], -7_000_000), (CLIENT, 5_000_000)] {
        bench.step(index, by_ns)?;
    }
    let [upstream, downstream] = BOUNDARY.map(|index| bench.node(index));
    let [second, first] = [downstream.interface(), upstream.interface()];
    bench.join(BOUNDARY[1], BOUNDARY[0], ADDRESSES[0])?;
    let client_node = bench.node(CLIENT);
    let interface = client_node.interface();
    client_node.readdress(ADDRESSES[1])?;

    let whole = ours::run(upstream, "server", &["--clock", "phc", "--also-interface", &second])?;
    let why = "needs one clock behind all interfaces, but lab1 has /dev/ptp1 and lab2 has /dev/ptp2";
    ensure!(whole.code == Some(1) && whole.stderr.contains(why), "one server on both: {}", whole.stderr);

    let grandmaster = ["--clock-class", "6", "--time-source", "32"];
    let mut server = ours::server(bench.node(GRANDMASTER), &grandmaster)?;
    let state = crate::scratch::directory("state")?;
    let upstream_address = bench.node(GRANDMASTER).address().to_string();
    let options = ["--upstream", &upstream_address, "--upstream-interface", &first];
    let between = ours::at(upstream, &second, "server", &options, state.path())?;
    let client = ours::at(client_node, &interface, "client", &["--server", ADDRESSES[0]], state.path())?;

    let started = Instant::now();
    for (name, index) in [("first", BOUNDARY[0]), ("second", BOUNDARY[1]), ("client's", CLIENT)] {
        bench
            .settled(index, GRANDMASTER, LIMIT, HOLD, started, TIMEOUT)
            .with_context(|| format!("the {name} clock\n{}\n{}", between.tail(), client.tail()))?;
        println!("lab: the {name} clock has settled after {:.1} s", started.elapsed().as_secs_f64());
    }
    announced(client_node, 6)?;
    let during = run.seconds(1, 30);
    for (metric, of, from) in [
        ("first_clock_rms_ns", BOUNDARY[0], GRANDMASTER),
        ("second_clock_minus_first_rms_ns", BOUNDARY[1], BOUNDARY[0]),
        ("client_rms_ns", CLIENT, GRANDMASTER),
    ] {
        let rms = Spread::of(&bench.offsets(of, from, during)?).context("no figures")?.rms;
        run.report.rows.push(Row::new("boundary", metric, "ns", rms).judged(Bar::Below(LIMIT)));
        ensure!(rms < WRONG, "{metric} {rms}");
    }
    let stats = ours::stats_of(upstream, &second)?;
    ensure!(stats["standing"] == "locked" && stats["second_clock"]["offset_ns"].is_number(), "{stats:#}");
    server.kill()?;
    announced(client_node, 135)
}

/// Waits until the client hears this clockClass.
fn announced(client: &Node, class: u64) -> Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let stats = ours::stats(client)?;
        if stats["servers"][0]["announce"]["clock_class"] == class {
            println!(
                "lab: clockClass {class} is heard after {:.1} s",
                (Instant::now() + TIMEOUT - deadline).as_secs_f64()
            );
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "clockClass {class} is not announced\n{stats:#}");
        sleep(SAMPLE);
    }
}
