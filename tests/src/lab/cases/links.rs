//! Links that the kernel of most test machines cannot make: VLAN sub-interfaces, delay and loss.

use crate::figures::Row;
use crate::lab::{Bench, Run, ours};
use crate::netns::Namespace;
use crate::process::{Line, Process};
use crate::program::wait_until_started;
use anyhow::{Context as _, Result, ensure};
use std::process::Command;
use std::time::{Duration, Instant};

const SERVER: usize = 0;
const CLIENT: usize = 1;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Client and server on VLAN 5: the NIC stamps, but its programs do not run on the sub-interface.
pub(super) fn vlan(run: &mut Run) -> Result<()> {
    let bench = Bench::new(2, &["drift_ppb=0,20000"])?;
    bench.step(CLIENT, 10_000_000)?;
    for index in [SERVER, CLIENT] {
        bench.node(index).ip(&format!(
            "link add link lab{index} name lab{index}.5 type vlan id 5\n\
             address add 10.8.0.{}/24 dev lab{index}.5\nlink set lab{index}.5 up\n",
            index + 1
        ))?;
    }
    let start = |index: usize, subcommand: &str, options: &[&str]| {
        let mut command = Command::new(ours::PTP_CTL);
        command.args([subcommand, &format!("lab{index}.5"), "--json", "--clock", "phc"]).args(options);
        let process = bench.node(index).spawn(subcommand, command)?;
        wait_until_started(&process)?;
        Ok::<_, anyhow::Error>(process)
    };
    let server = start(SERVER, "server", &[])?;
    let state = crate::scratch::directory("state")?;
    let directory = state.path().display().to_string();
    let client = start(CLIENT, "client", &["--server", "10.8.0.1", "--state-dir", &directory])?;
    let source =
        client.lines(0).iter().find_map(|line| line.text_of("rx_timestamp_source").map(str::to_owned));
    ensure!(source.as_deref() == Some("socket-hw"), "RX stamps: {source:?}");
    let lock = bench
        .settled(CLIENT, SERVER, 1_000.0, Duration::from_secs(2), Instant::now(), TIMEOUT)
        .with_context(|| client.tail())?;
    run.report.rows.push(Row::new("vlan", "lock_s", "s", lock.as_secs_f64()));
    drop(server);
    Ok(())
}

/// 2 ms each way, ±0.2 ms, and one packet in 20 lost, on a pair of virtual links with software stamps.
pub(super) fn delay_and_loss(run: &mut Run) -> Result<()> {
    let names = ["near", "far"];
    let namespaces = [Namespace::create(names[0])?, Namespace::create(names[1])?];
    namespaces[0]
        .batch(&format!("link add veth0 type veth peer name veth0 netns {}\n", namespaces[1].name()))?;
    for (index, namespace) in namespaces.iter().enumerate() {
        namespace.batch(&format!("address add 10.7.0.{}/24 dev veth0\nlink set veth0 up\n", index + 1))?;
        let delayed = namespace.enter(|| {
            let netem =
                ["qdisc", "add", "dev", "veth0", "root", "netem", "delay", "2ms", "0.2ms", "loss", "5%"];
            Ok(Command::new("tc").args(netem).status()?)
        })?;
        ensure!(delayed.success(), "tc does not add a netem queue");
    }
    let start = |place: usize, arguments: &[&str]| -> Result<Process> {
        let mut command = Command::new(ours::PTP_CTL);
        command.args(arguments).arg("--json");
        let name = arguments[0].to_owned();
        let process = namespaces[place].enter(move || Process::spawn(&name, command))?;
        wait_until_started(&process)?;
        Ok(process)
    };
    let _server = start(0, &["server", "veth0", "--clock", "none"])?;
    let client =
        ["client", "veth0", "--clock", "virtual", "--virtual-offset", "3000000", "--server", "10.7.0.1"];
    // Often: then it does not take long.
    let rates = ["--log-sync-interval", "-5", "--log-delay-resp-interval", "-5"];
    let client = start(1, &[&client[..], &rates[..]].concat())?;
    let locked =
        |line: &Line| (line.is_event("state") && line.text_of("detail") == Some("locked")).then_some(());
    client.wait_for("the lock", TIMEOUT, locked)?;
    std::thread::sleep(run.seconds(2, 30));
    let lost = client.lines(0).iter().filter(|line| line.is_event("unusable")).count();
    let errors: Vec<f64> = client
        .lines(0)
        .iter()
        .filter(|line| line.is("clock"))
        .filter_map(|line| line.number_of("true_error_ns"))
        .collect();
    let last = errors.last().copied().context("no clock lines")?;
    run.report.rows.push(Row::new("delay_and_loss", "true_error_ns", "ns", last));
    run.report.rows.push(Row::new("delay_and_loss", "server_lost", "times", lost));
    ensure!(last.abs() < 500_000.0, "the clock is {last} ns off");
    Ok(())
}
