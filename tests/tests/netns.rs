//! Our real programs on real interfaces, over a router. Waits are generous: how fast it is, the demo measures.

use anyhow::{Context, Result, ensure};
use ptp_tests::netns::{Family, Host, Plane, World};
use ptp_tests::process::{Line, Process};
use ptp_tests::program::{Ended, PtpCtl};
use ptp_tests::{Need, eventually, have};
use serde_json::Value;
use std::time::Duration;

const NEEDS: &[Need] = &[Need::Root, Need::Program("ip"), Need::PtpCtl];
/// Longer than any of this takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(40);
/// The client's clock at its start.
const OFF: [&str; 4] = ["--virtual-offset", "5000000", "--virtual-frequency", "30000"];
/// Far below that, far above what a busy machine adds.
const CLOSE_NS: f64 = 50_000.0;

/// What the other tests here build on: the router forwards, and it can drop without telling anybody.
#[test]
fn the_router_forwards_and_drops_in_silence() -> Result<()> {
    if !have("the_router_forwards_and_drops_in_silence", &NEEDS[..2]) {
        return Ok(());
    }
    let world = World::new(&["server", "client"])?;
    let [server, client] = world.hosts() else { unreachable!("two names were given") };
    for plane in [Plane::Ours, Plane::Peer] {
        for family in [Family::V4, Family::V6] {
            let case = format!("{plane:?} {family:?}");
            ensure!(client.reaches(server, plane, family)?, "{case}");
            let before = world.router().unreachables_sent()?;
            let address = server.address(plane, family);
            world.router().blackhole(address)?;
            ensure!(!client.reaches(server, plane, family)?, "{case}: to the server");
            ensure!(!server.reaches(client, plane, family)?, "{case}: from the server");
            ensure!(world.router().unreachables_sent()? == before, "{case}: it told somebody");
            world.router().restore(address)?;
            ensure!(client.reaches(server, plane, family)?, "{case}: restored");
        }
    }
    Ok(())
}

#[test]
fn two_servers_failover_and_return() -> Result<()> {
    let Some(Lab { programs, world }) = Lab::new("two_servers_failover_and_return")? else { return Ok(()) };
    let [east, west, client_host] = world.hosts() else { unreachable!("three names were given") };
    let mut servers = [programs.server(east, "east", &[])?, programs.server(west, "west", &[])?];
    let mut client =
        start_client(&programs, client_host, Family::V4, &[east, west], &["--wait-to-restore", "2"])?;
    assert_locks(&client, 0)?;
    assert_follows(&client, 0, east)?;
    client.wait_for("samples of the standby", PATIENCE, |line| {
        let standby = line.is("sample") && line.text_of("server") == Some(&address(west));
        (standby && line.json.as_ref()?["selected"] == false).then_some(())
    })?;

    let mark = client.mark();
    servers[0].kill()?;
    assert_follows(&client, mark, west)?;
    let mark = client.mark();
    servers[0] = programs.server(east, "east again", &[])?;
    assert_follows(&client, mark, east)?;

    let mark = client.mark();
    world.router().blackhole(east.address(Plane::Ours, Family::V4))?;
    assert_follows(&client, mark, west)?;
    let mark = client.mark();
    world.router().restore(east.address(Plane::Ours, Family::V4))?;
    assert_follows(&client, mark, east)?;
    ensure!(last_error(&client)?.abs() < CLOSE_NS, "off after all that\n{}", client.tail());
    assert_ends_well(&mut client)?;
    servers.iter_mut().try_for_each(assert_ends_well)
}

#[test]
fn ipv6_generic_mode_and_sockets_work_too() -> Result<()> {
    let Some(Lab { programs, world }) = Lab::new("ipv6_generic_mode_and_sockets_work_too")? else {
        return Ok(());
    };
    let [server_host, _, client_host] = world.hosts() else { unreachable!("three names were given") };
    let native: &[&str] = &["--xdp-mode", "native"];
    let generic: &[&str] = &["--xdp-mode", "generic"];
    let socket: &[&str] = &["--data-plane", "socket"];
    for (family, options, plane, mode) in [
        (Family::V6, native, "xdp", Some("native")),
        (Family::V4, generic, "xdp", Some("generic")),
        (Family::V6, generic, "xdp", Some("generic")),
        (Family::V4, socket, "socket", None),
        (Family::V6, socket, "socket", None),
    ] {
        let case = format!("{family:?} {options:?}");
        let mut server = programs.server(server_host, &format!("server {case}"), options)?;
        let mut client = start_client(&programs, client_host, family, &[server_host], options)?;
        let start = client.wait_for("start", PATIENCE, |line| line.is("start").then(|| line.clone()))?;
        ensure!(start.text_of("data_plane") == Some(plane), "{case}: {}", start.text);
        ensure!(start.text_of("xdp_mode") == mode, "{case}: {}", start.text);
        let from_xdp = start.text_of("rx_timestamp_source").is_some_and(|source| source.starts_with("xdp"));
        ensure!(from_xdp == (plane == "xdp"), "{case}: {}", start.text);
        assert_locks(&client, 0)?;
        assert_ends_well(&mut client)?;
        assert_ends_well(&mut server)?;
    }
    Ok(())
}

#[test]
fn one_server_that_restarts_is_negotiated_with_again() -> Result<()> {
    let Some(Lab { programs, world }) = Lab::new("one_server_that_restarts_is_negotiated_with_again")? else {
        return Ok(());
    };
    let [server_host, _, client_host] = world.hosts() else { unreachable!("three names were given") };
    let mut server = programs.server(server_host, "server", &[])?;
    let client = start_client(&programs, client_host, Family::V4, &[server_host], &[])?;
    assert_locks(&client, 0)?;
    server.kill()?;
    std::thread::sleep(Duration::from_secs(2));
    let mark = client.mark();
    let _server = programs.server(server_host, "server again", &[])?;
    assert_follows(&client, mark, server_host)?;
    assert_locks(&client, client.mark())
}

#[test]
fn a_warm_standby_takes_over_and_is_let_go() -> Result<()> {
    let Some(Lab { programs, world }) = Lab::new("a_warm_standby_takes_over_and_is_let_go")? else {
        return Ok(());
    };
    let [east, west, client_host] = world.hosts() else { unreachable!("three names were given") };
    let mut servers = [programs.server(east, "east", &[])?, programs.server(west, "west", &[])?];
    let options = ["--standby", "warm", "--revert", "immediate"];
    let mut client = start_client(&programs, client_host, Family::V4, &[east, west], &options)?;
    assert_locks(&client, 0)?;
    assert_follows(&client, 0, east)?;
    let standby = |host: &Host, pointer: &str| -> Result<Value> {
        let stats = programs.stats(host)?;
        Ok(stats.pointer(pointer).cloned().unwrap_or_default())
    };
    eventually("the standby announces itself, and no more", PATIENCE, || {
        let announces = standby(client_host, "/servers/1/grants/announce/state")? == "granted";
        let state = standby(client_host, "/servers/1/state")? == "standby";
        Ok(announces && state && standby(client_host, "/servers/1/grants/sync/log_interval")?.is_null())
    })?;

    let mark = client.mark();
    servers[0].kill()?;
    assert_follows(&client, mark, west)?;
    let mark = client.mark();
    servers[0] = programs.server(east, "east again", &[])?;
    assert_follows(&client, mark, east)?;
    eventually("the standby serves no Sync any more", PATIENCE, || {
        Ok(standby(west, "/clients/0/grants/sync/duration_s")?.is_null())
    })?;
    ensure!(standby(west, "/clients/0/grants/announce/state")? == "granted", "it announces itself");
    assert_ends_well(&mut client)?;
    servers.iter_mut().try_for_each(assert_ends_well)
}

#[test]
fn a_server_forgets_a_client_that_is_gone() -> Result<()> {
    let Some(Lab { programs, world }) = Lab::new("a_server_forgets_a_client_that_is_gone")? else {
        return Ok(());
    };
    let [server_host, _, client_host] = world.hosts() else { unreachable!("three names were given") };
    let _server = programs.server(server_host, "server", &[])?;
    let clients = || -> Result<usize> {
        let stats = programs.stats(server_host)?;
        Ok(stats["clients"].as_array().map_or(0, Vec::len))
    };

    // One that says goodbye, at once and long before its grants end.
    let mut client =
        start_client(&programs, client_host, Family::V4, &[server_host], &["--duration", "300"])?;
    assert_locks(&client, 0)?;
    ensure!(clients()? == 1, "one client, granted");
    let address = client_host.address(Plane::Ours, Family::V4).to_string();
    for (prefix, expected) in [(address.as_str(), 1), ("10.0.0.0/8", 1), ("192.0.2.0/24", 0)] {
        let mut command = programs.command("clients");
        command.arg("--run-dir").arg(programs.run_dir()).args(["--prefix", prefix, "--json"]);
        let answer: Value = serde_json::from_str(&programs.run(server_host, command)?.stdout)?;
        let found = answer["clients"].as_array().context("no clients in the answer")?;
        ensure!(answer["totals"]["clients"] == 1 && answer["matching"]["sync"] == expected, "{answer}");
        ensure!(
            found.iter().map(|client| &client["address"]).eq(vec![address.as_str(); expected]),
            "{answer}"
        );
    }
    assert_ends_well(&mut client)?;
    eventually(
        "the server forgets a client that cancelled",
        Duration::from_secs(10),
        || Ok(clients()? == 0),
    )?;

    // One that cannot, when its grants end.
    let short = ["--min-duration", "5", "--duration", "5"];
    let mut client = start_client(&programs, client_host, Family::V4, &[server_host], &short)?;
    assert_locks(&client, 0)?;
    ensure!(clients()? == 1, "one client, granted");
    client.kill()?;
    eventually("the server forgets a client whose grants ended", PATIENCE, || Ok(clients()? == 0))?;
    let before = client_host.received_packets(Plane::Ours)?;
    std::thread::sleep(Duration::from_secs(2));
    let sent = client_host.received_packets(Plane::Ours)? - before;
    // 2 s of service are 34 packets; the kernel's own (neighbours, multicast listeners) are one or two.
    ensure!(sent < 8, "{sent} packets still came to a client that is gone");
    Ok(())
}

#[test]
fn a_killed_controller_leaves_traffic_passing() -> Result<()> {
    let Some(Lab { programs, world }) = Lab::new("a_killed_controller_leaves_traffic_passing")? else {
        return Ok(());
    };
    let [server_host, _, client_host] = world.hosts() else { unreachable!("three names were given") };
    let reaches = |family| client_host.reaches(server_host, Plane::Ours, family);
    for host in [server_host, client_host] {
        let Ended { code, stderr, .. } = programs.run(host, programs.command_with_bpffs("attach"))?;
        ensure!(code == Some(0), "attach: {stderr}");
    }
    let mut server = programs.server(server_host, "server", &[])?;
    let mut client = start_client(&programs, client_host, Family::V4, &[server_host], &[])?;
    assert_locks(&client, 0)?;
    client.kill()?;
    server.kill()?;
    for family in [Family::V4, Family::V6] {
        ensure!(reaches(family)?, "{family:?} traffic passes without a controller");
    }
    let stats = programs.stats(client_host)?;
    ensure!(stats["counters"]["xdp"].is_object(), "stats from the pinned maps: {stats}");

    let mut server = programs.server(server_host, "server again", &[])?;
    let mut client = start_client(&programs, client_host, Family::V4, &[server_host], &[])?;
    assert_locks(&client, 0)?;
    assert_ends_well(&mut client)?;
    assert_ends_well(&mut server)?;
    for host in [server_host, client_host] {
        let Ended { code, stderr, .. } = programs.run(host, programs.command_with_bpffs("detach"))?;
        ensure!(code == Some(0), "detach: {stderr}");
    }
    let pins = programs.bpffs().pins()?;
    ensure!(pins.is_empty(), "detach left {pins:?}");
    ensure!(reaches(Family::V4)?, "traffic passes after detach");
    Ok(())
}

/// A controller that attached by itself and is killed must not need cleaning up by hand either.
#[test]
fn a_killed_controller_can_be_started_again() -> Result<()> {
    let Some(Lab { programs, world }) = Lab::new("a_killed_controller_can_be_started_again")? else {
        return Ok(());
    };
    let [server_host, _, client_host] = world.hosts() else { unreachable!("three names were given") };
    let _server = programs.server(server_host, "server", &[])?;
    for _ in 0..3 {
        let mut client = start_client(&programs, client_host, Family::V4, &[server_host], &[])?;
        assert_locks(&client, 0)?;
        client.kill()?;
        ensure!(client_host.reaches(server_host, Plane::Ours, Family::V4)?, "traffic passes");
    }
    Ok(())
}

#[test]
fn stats_tell_what_runs() -> Result<()> {
    let Some(Lab { programs, world }) = Lab::new("stats_tell_what_runs")? else { return Ok(()) };
    let [server_host, _, client_host] = world.hosts() else { unreachable!("three names were given") };
    let _server = programs.server(server_host, "server", &[])?;
    let client = start_client(&programs, client_host, Family::V4, &[server_host], &[])?;
    assert_locks(&client, 0)?;
    let stats = programs.stats(client_host)?;
    let expected: &[(&str, Value)] = &[
        ("/version", 1.into()),
        ("/role", "client".into()),
        ("/state", "locked".into()),
        ("/xdp_mode", "native".into()),
        ("/selected_server", address(server_host).into()),
        ("/clock/kind", "virtual".into()),
        ("/servers/0/grants/announce/state", "granted".into()),
        ("/servers/0/grants/sync/state", "granted".into()),
        ("/servers/0/grants/sync/log_interval", (-3).into()),
        ("/servers/0/grants/delay_resp/state", "granted".into()),
    ];
    for (pointer, value) in expected {
        ensure!(stats.pointer(pointer) == Some(value), "{pointer} is not {value}: {stats:#}");
    }
    let age = stats.pointer("/servers/0/grants/sync/age_s").and_then(Value::as_f64);
    ensure!(age.is_some_and(|age| age > 0.0), "no age of a contract: {stats:#}");
    let taken = stats.pointer("/counters/xdp/taken").and_then(Value::as_u64);
    ensure!(taken.is_some_and(|taken| taken > 0), "the data plane took nothing: {stats:#}");
    Ok(())
}

/// Two hosts for servers, one for a client.
struct Lab {
    programs: PtpCtl,
    world: World,
}

impl Lab {
    /// `None`, and the test is reported as skipped, where the machine lacks something.
    fn new(test: &str) -> Result<Option<Self>> {
        if !have(test, NEEDS) {
            return Ok(None);
        }
        // The world first: its turn comes when no other test uses the machine.
        let world = World::new(&["east", "west", "client"])?;
        Ok(Some(Self { programs: PtpCtl::new(&PtpCtl::find()?)?, world }))
    }
}

fn start_client(
    programs: &PtpCtl,
    host: &Host,
    family: Family,
    servers: &[&Host],
    options: &[&str],
) -> Result<Process> {
    programs.client(host, family, servers, &[&OFF, options].concat())
}

fn address(host: &Host) -> String {
    host.address(Plane::Ours, Family::V4).to_string()
}

fn assert_locks(client: &Process, from: usize) -> Result<()> {
    let locked = |line: &Line| line.is("sample") && line.text_of("state") == Some("locked");
    client.wait_after(from, "the lock", PATIENCE, |line| locked(line).then_some(()))?;
    let mark = client.mark();
    client.wait_after(mark, "the truth close by", PATIENCE, |line| {
        (line.is("clock") && line.number_of("true_error_ns")?.abs() < CLOSE_NS).then_some(())
    })
}

fn assert_follows(client: &Process, from: usize, server: &Host) -> Result<()> {
    let server = address(server);
    client.wait_after(from, &format!("samples of {server} in use"), PATIENCE, |line| {
        let used = line.is("sample") && line.json.as_ref()?["used"] == true;
        (used && line.text_of("server") == Some(&server)).then_some(())
    })
}

fn last_error(client: &Process) -> Result<f64> {
    let mark = client.mark();
    client.wait_after(mark, "the true error", PATIENCE, |line| line.number_of("true_error_ns"))
}

fn assert_ends_well(process: &mut Process) -> Result<()> {
    let status = process.terminate(PATIENCE)?;
    ensure!(status.success(), "{} ended with {status}\n{}", process.name(), process.tail());
    Ok(())
}
