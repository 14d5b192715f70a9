//! Programs ask a running client for the time with its bound, over a router.

use anyhow::{Context as _, Result, ensure};
use ptp_tests::netns::{Family, Host, World};
use ptp_tests::process::realtime_ns;
use ptp_tests::program::{Ended, PtpCtl};
use ptp_tests::{Need, eventually, have};
use serde_json::Value;
use std::time::Duration;

const NEEDS: &[Need] = &[Need::Root, Need::Program("ip"), Need::PtpCtl];
/// Longer than any of this takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `now --json` says, and CLOCK_REALTIME before and after, which is what the server serves.
fn now(programs: &PtpCtl, host: &Host) -> Result<(Value, i64, i64)> {
    let mut command = programs.command("now");
    command.arg("--json").arg("--run-dir").arg(programs.run_dir());
    let before = realtime_ns();
    let Ended { stdout, stderr, .. } = programs.run(host, command)?;
    let after = realtime_ns();
    let now = serde_json::from_str(&stdout).with_context(|| format!("no JSON: {stdout} {stderr}"))?;
    Ok((now, before, after))
}

#[test]
fn now_contains_the_true_time() -> Result<()> {
    if !have("now_contains_the_true_time", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["server", "client"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [server_host, client_host] = world.hosts() else { unreachable!("two names were given") };
    // Within 1 us: it is the clock itself.
    let mut server = programs.server(server_host, "server", &["--clock-accuracy", "35"])?;
    let options = ["--virtual-offset", "5000000", "--virtual-frequency", "-20000"];
    let mut client = programs.client(client_host, Family::V4, &[server_host], &options)?;
    client.wait_for("the lock", PATIENCE, |line| {
        (line.is("sample") && line.text_of("state") == Some("locked")).then_some(())
    })?;
    eventually("the page says so", PATIENCE, || Ok(now(&programs, client_host)?.0["state"] == "locked"))?;
    for _ in 0..20 {
        let (now, before, after) = now(&programs, client_host)?;
        let (Some(earliest), Some(latest)) = (now["earliest_ns"].as_i64(), now["latest_ns"].as_i64()) else {
            anyhow::bail!("{now}")
        };
        ensure!(earliest <= after && latest >= before, "{before} to {after}: {now}");
        ensure!(now["accuracy_ns"] == 1000 && latest - earliest >= 2000, "{now}");
        // Over a router in memory, microseconds; a busy machine makes some more of it.
        ensure!(latest - earliest < 50_000_000, "{now}");
    }
    // Without its server it goes on, and the bound grows.
    server.kill()?;
    eventually("holdover", PATIENCE, || {
        let (now, before, after) = now(&programs, client_host)?;
        let (earliest, latest) = (now["earliest_ns"].as_i64(), now["latest_ns"].as_i64());
        ensure!(
            earliest.is_some_and(|earliest| earliest <= after)
                && latest.is_some_and(|latest| latest >= before),
            "{before} to {after}: {now}"
        );
        Ok(now["state"] == "holdover")
    })?;
    client.kill()?;
    eventually("the writer is missed", PATIENCE, || {
        let (now, ..) = now(&programs, client_host)?;
        Ok(now["earliest_ns"].is_null()
            && now["unknown"].as_str().is_some_and(|why| why.contains("does not run")))
    })
}

#[test]
fn without_an_accuracy_nothing_is_claimed() -> Result<()> {
    if !have("without_an_accuracy_nothing_is_claimed", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["server", "client"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [server_host, client_host] = world.hosts() else { unreachable!("two names were given") };
    let class = ["--clock-class", "248"];
    let _server = programs.server(server_host, "server", &class)?;
    let mut client = programs.client(client_host, Family::V4, &[server_host], &[])?;
    client.wait_for("a sample", PATIENCE, |line| line.is("sample").then_some(()))?;
    eventually("a time without an interval", PATIENCE, || {
        let (now, ..) = now(&programs, client_host)?;
        Ok(now["most_likely_ns"].is_i64()
            && now["earliest_ns"].is_null()
            && now["unknown"].as_str().is_some_and(|why| why.contains("clockAccuracy")))
    })?;
    let status = client.terminate(PATIENCE)?;
    ensure!(status.success(), "the client ended with {status}\n{}", client.tail());
    // It said so itself, and at once.
    let (now, ..) = now(&programs, client_host)?;
    ensure!(now["state"] == "nothing", "{now}");
    Ok(())
}
