//! The setting `user`: a PHC and the machine's own clock are steered after root's powers are given up.

use super::pair::{LOCK, number};
use super::system_clock::{self, TAI};
use crate::figures::Row;
use crate::lab::{Bench, Run, ours};
use crate::process::{Line, Process};
use crate::program::wait_until_started;
use anyhow::{Context as _, Result, ensure};
use ptp_ctl::clock::{Clock as _, Leap, SystemClock};
use serde_json::json;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Neither is in any list.
pub(super) const USER: &str = "54321:54322";
const UID: u32 = 54321;
const SERVER: usize = 0;
const OF_PHC: usize = 1;
const OF_SYSTEM: usize = 2;
/// What software stamps come to in an emulated machine, ns.
const SYSTEM_LIMIT: f64 = 100_000.0;
const HOLD: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(40);
const ENDS: Duration = Duration::from_secs(10);
/// linux/capability.h
const CAP_NET_ADMIN: u64 = 1 << 12;
const CAP_SYS_TIME: u64 = 1 << 25;

pub(super) fn another_user(run: &mut Run) -> Result<()> {
    let mut system = SystemClock::open(true)?;
    system.set_utc(TAI, Leap::None)?;
    system.set_frequency(30_000.0)?;
    let bench = Bench::new(3, &["drift_ppb=0,20000,0"])?;
    bench.step(OF_PHC, 10_000_000)?;
    let state = ours::state_directory()?;
    // Made by the client, and shared with the user.
    let directories = ["phc", "system"].map(|name| state.path().join(name));
    let address = bench.node(SERVER).address().to_string();
    let server = ours::server(bench.node(SERVER), &["--user", USER])?;
    let options = ["--user", USER, "--server", &address];
    let started = Instant::now();
    let of_phc = ours::at(bench.node(OF_PHC), "lab1", "client", &options, &directories[0])?;
    let mut command = ours::command(bench.node(OF_SYSTEM), "client", &["--json", "--clock", "system"]);
    command.args(options).arg("--state-dir").arg(&directories[1]);
    let of_system = bench.node(OF_SYSTEM).spawn("client", command)?;
    wait_until_started(&of_system)?;

    // From the first packet on they are the user's.
    for (process, index, name, capability) in [
        (&server, SERVER, "CAP_NET_ADMIN", CAP_NET_ADMIN),
        (&of_phc, OF_PHC, "CAP_NET_ADMIN", CAP_NET_ADMIN),
        (&of_system, OF_SYSTEM, "CAP_SYS_TIME", CAP_SYS_TIME),
    ] {
        let expected = json!({"user": UID.to_string(), "uid": UID, "capabilities": [name], "realtime_priority": 0,
            "fan_out_realtime_priority": null, "memory_locked": false});
        let stats = ours::stats(bench.node(index))?;
        ensure!(stats["process"] == expected, "lab{index}: {:#}", stats["process"]);
        is_dropped(process, capability)?;
    }
    let tails = || format!("{}\n{}", of_phc.tail(), of_system.tail());
    let lock = bench.settled(OF_PHC, SERVER, LOCK, HOLD, started, TIMEOUT).with_context(tails)?;
    run.report.rows.push(Row::new("another_user", "lock_s (PHC)", "s", lock.as_secs_f64()));
    system_clock::settle(&bench, SERVER, SYSTEM_LIMIT, started).with_context(tails)?;
    puts_right(&bench, &of_phc)?;

    let during = run.seconds(2, 60);
    let worst = system_clock::worst(&bench, SERVER, during).with_context(tails)?;
    ensure!(worst < SYSTEM_LIMIT, "the system clock was {worst:.0} ns off\n{}", of_system.tail());
    run.report.rows.push(Row::new("another_user", "worst_error_ns (system clock)", "ns", worst));
    let offset = bench.offset(OF_PHC, SERVER)?;
    ensure!(offset.abs() < LOCK, "the PHC is {offset:.0} ns off\n{}", of_phc.tail());
    run.report.rows.push(Row::new("another_user", "true_offset_ns (PHC), after that", "ns", offset));
    for index in [OF_PHC, OF_SYSTEM] {
        let stats = ours::stats(bench.node(index))?;
        ensure!(stats["state"] == "locked", "lab{index} is {}", stats["state"]);
        for counter in ["clock/steer_errors", "tx/send_errors", "records/map_errors"] {
            ensure!(number(&stats, &format!("/counters/{counter}"))? == 0.0, "{counter}: {stats:#}");
        }
    }
    for (mut process, index) in [(of_phc, OF_PHC), (of_system, OF_SYSTEM), (server, SERVER)] {
        let status = process.terminate(ENDS)?;
        ensure!(status.success(), "{} ended with {status}\n{}", process.name(), process.tail());
        ours::nothing_is_left(bench.node(index), &bench.node(index).interface())?;
    }
    for (directory, expected) in directories.iter().zip([-20_000.0, 0.0]) {
        let ppb = stored_ppb(directory)?;
        ensure!((ppb - expected).abs() < 5_000.0, "{ppb} ppb were stored in {}", directory.display());
    }
    Ok(())
}

/// Somebody switches the NIC's stamps off and moves its clock: neither is for everybody to put right again.
fn puts_right(bench: &Bench, client: &Process) -> Result<()> {
    let node = bench.node(OF_PHC);
    let mark = client.mark();
    ours::shown(node, "hwstamp_ctl", &["-i", "lab1", "-t", "0", "-r", "0"])?;
    let deadline = Instant::now() + TIMEOUT;
    while number(&ours::stats(node)?, "/counters/clock/stamps_restored")? == 0.0 {
        ensure!(Instant::now() < deadline, "the stamps are not switched on again\n{}", client.tail());
        std::thread::sleep(Duration::from_millis(50));
    }
    bench.step(OF_PHC, 1_000_000_000)?;
    let stepped = Instant::now();
    let step = |line: &Line| line.is_event("step").then_some(());
    client.wait_after(mark, "the step back", TIMEOUT, step)?;
    bench.settled(OF_PHC, SERVER, LOCK, HOLD, stepped, TIMEOUT).with_context(|| client.tail())?;
    Ok(())
}

/// No thread is root's, and none has more than the one capability.
fn is_dropped(process: &Process, capability: u64) -> Result<()> {
    for thread in fs::read_dir(format!("/proc/{}/task", process.pid()))? {
        let text = fs::read_to_string(thread?.path().join("status"))?;
        let of = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let uids = of("Uid:").context("no Uid")?;
        ensure!(uids.split_whitespace().all(|uid| uid == UID.to_string()), "uids {uids}");
        for name in ["CapEff:", "CapPrm:"] {
            let set = u64::from_str_radix(of(name).context("no capabilities")?, 16)?;
            ensure!(set & !capability == 0, "{name} {set:x}");
        }
    }
    Ok(())
}

/// What the user has stored, itself.
fn stored_ppb(directory: &Path) -> Result<f64> {
    let entry = fs::read_dir(directory)?.next().context("no state file")??;
    ensure!(entry.metadata()?.uid() == UID, "{} is of {}", entry.path().display(), entry.metadata()?.uid());
    Ok(fs::read_to_string(entry.path())?.trim().parse()?)
}
