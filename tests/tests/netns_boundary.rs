//! Boundary clocks on real interfaces, over a router: the grandmaster's data set and time come through, and holdover shows.

use anyhow::{Context as _, Result, ensure};
use ptp_common::time::Timestamp;
use ptp_common::wire::{Body, CancelUnicast, Header, Message, MessageType, PortIdentity, Tlv};
use ptp_tests::netns::{Family, Host, Plane, World};
use ptp_tests::process::{Line, Process};
use ptp_tests::program::{ConfigFile, Ended, PtpCtl, wait_until_started};
use ptp_tests::{Need, eventually, have};
use serde_json::Value;
use std::net::{IpAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

const NEEDS: &[Need] = &[Need::Root, Need::Program("ip"), Need::PtpCtl];
/// Longer than any of this takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
/// Far below the clocks' initial errors, far above what a busy machine adds.
const CLOSE_NS: f64 = 100_000.0;
/// Of a grandmaster that nobody takes for another one.
const GRANDMASTER: &[&str] =
    &["--clock", "none", "--clock-class", "6", "--time-source", "32", "--priority1", "11"];

/// Starts `ptp-ctl SUBCOMMAND` on a plane's interface and waits until it runs.
fn start(
    programs: &PtpCtl,
    host: &Host,
    name: &str,
    subcommand: &str,
    plane: Plane,
    options: &[&str],
) -> Result<Process> {
    let mut command = Command::new(programs.path());
    command.args([subcommand, plane.interface(), "--json"]);
    command.arg("--bpffs").arg(programs.bpffs().path()).arg("--run-dir").arg(programs.run_dir());
    command.args(options);
    let process = host.spawn(name, command)?;
    wait_until_started(&process)?;
    Ok(process)
}

fn boundary(programs: &PtpCtl, host: &Host, upstream: &[&str], offset: &str) -> Result<Process> {
    let clock = ["--clock", "virtual", "--virtual-offset", offset, "--virtual-frequency", "-20000"];
    let holdover = ["--holdover-limit", "1000000000"];
    start(programs, host, "boundary", "server", Plane::Ours, &[upstream, &clock[..], &holdover[..]].concat())
}

fn address(host: &Host, plane: Plane) -> String {
    host.address(plane, Family::V4).to_string()
}

/// What the client in this host hears from its server.
fn announce(programs: &PtpCtl, client: &Host) -> Result<Value> {
    Ok(programs.stats(client)?["servers"][0]["announce"].clone())
}

fn assert_close(process: &Process) -> Result<()> {
    process.wait_for("the lock", PATIENCE, |line| {
        (line.is("sample") && line.text_of("state") == Some("locked")).then_some(())
    })?;
    let mark = process.mark();
    process.wait_after(mark, "the truth close by", PATIENCE, |line: &Line| {
        (line.is("clock") && line.number_of("true_error_ns")?.abs() < CLOSE_NS).then_some(())
    })
}

fn assert_ends_well(mut process: Process) -> Result<()> {
    let status = process.terminate(PATIENCE)?;
    ensure!(status.success(), "{} ended with {status}\n{}", process.name(), process.tail());
    Ok(())
}

#[test]
fn a_chain_of_three_passes_on_time_and_data_set_and_shows_holdover() -> Result<()> {
    if !have("a_chain_of_three_passes_on_time_and_data_set_and_shows_holdover", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["grandmaster", "first", "second", "client"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [grandmaster_host, first_host, second_host, client_host] = world.hosts() else {
        unreachable!("four names were given")
    };
    let upstream = |host| address(host, Plane::Ours);
    let mut grandmaster = programs.server(grandmaster_host, "grandmaster", &GRANDMASTER[2..])?;
    let first = boundary(&programs, first_host, &["--upstream", &upstream(grandmaster_host)], "3000000")?;
    let second = boundary(&programs, second_host, &["--upstream", &upstream(first_host)], "-2000000")?;
    let client =
        programs.client(client_host, Family::V4, &[second_host], &["--virtual-offset", "5000000"])?;
    for process in [&first, &second, &client] {
        assert_close(process).with_context(|| format!("{}\n{}", process.name(), process.tail()))?;
    }
    let identity = programs.stats(grandmaster_host)?["grandmaster_identity"].clone();
    let is = |class: u64, steps: u64, identity: &Value| {
        let announce = announce(&programs, client_host)?;
        Ok(announce["clock_class"] == class
            && announce["steps_removed"] == steps
            && announce["grandmaster_identity"] == *identity)
    };
    eventually("the grandmaster's data set two steps down", PATIENCE, || is(6, 2, &identity))?;
    ensure!(announce(&programs, client_host)?["priority1"] == 11, "its priority1");
    let stats = programs.stats(first_host)?;
    ensure!(stats["role"] == "boundary" && stats["standing"] == "locked", "{stats:#}");
    ensure!(stats["upstream"]["state"] == "locked", "{stats:#}");
    ensure!(stats["path"].as_array().map(Vec::len) == Some(1), "{stats:#}");

    grandmaster.kill()?;
    let own = programs.stats(first_host)?["path"][0].clone();
    eventually("its own data set in holdover, one step down", PATIENCE, || is(135, 1, &own))?;
    let grandmaster = programs.server(grandmaster_host, "grandmaster again", &GRANDMASTER[2..])?;
    eventually("the grandmaster's again", PATIENCE, || is(6, 2, &identity))?;
    for process in [client, second, first, grandmaster] {
        assert_ends_well(process)?;
    }
    Ok(())
}

#[test]
fn servers_on_another_interface_are_followed() -> Result<()> {
    if !have("servers_on_another_interface_are_followed", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["grandmaster", "boundary", "client"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [grandmaster_host, boundary_host, client_host] = world.hosts() else {
        unreachable!("three names were given")
    };
    let grandmaster = start(&programs, grandmaster_host, "grandmaster", "server", Plane::Peer, GRANDMASTER)?;
    let server = address(grandmaster_host, Plane::Peer);
    let upstream = ["--upstream", &server, "--upstream-interface", Plane::Peer.interface()];
    let boundary = boundary(&programs, boundary_host, &upstream, "3000000")?;
    let client =
        programs.client(client_host, Family::V6, &[boundary_host], &["--virtual-offset", "5000000"])?;
    for process in [&boundary, &client] {
        assert_close(process).with_context(|| format!("{}\n{}", process.name(), process.tail()))?;
    }
    eventually("the grandmaster's data set", PATIENCE, || {
        let announce = announce(&programs, client_host)?;
        Ok(announce["clock_class"] == 6 && announce["steps_removed"] == 1)
    })?;
    let stats = programs.stats(boundary_host)?;
    ensure!(stats["upstream_interface"] == Plane::Peer.interface(), "{stats:#}");
    let taken = &stats["counters"]["upstream"]["xdp"]["taken"];
    ensure!(taken.as_u64().is_some_and(|taken| taken > 0), "Sync by the program: {stats:#}");
    // By the name of either interface, and again and again.
    let mut watch = Command::new(programs.path());
    watch.args(["stats", Plane::Peer.interface(), "--watch", "0.1", "--run-dir"]).arg(programs.run_dir());
    let watch = boundary_host.spawn("stats", watch)?;
    for mark in [0, 1, 2] {
        watch.wait_after(mark, "another line", PATIENCE, |line| {
            (line.text_of("standing") == Some("locked")).then_some(())
        })?;
    }
    drop(watch);
    for process in [client, boundary, grandmaster] {
        assert_ends_well(process)?;
    }
    Ok(())
}

#[test]
fn servers_on_another_interface_are_changed_while_it_runs() -> Result<()> {
    if !have("servers_on_another_interface_are_changed_while_it_runs", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["grandmaster", "boundary", "client"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [grandmaster_host, boundary_host, client_host] = world.hosts() else {
        unreachable!("three names were given")
    };
    let _grandmaster = start(&programs, grandmaster_host, "grandmaster", "server", Plane::Peer, GRANDMASTER)?;
    // The same server under another name, of another family: for the boundary clock that is another one.
    let [first, second] =
        [Family::V4, Family::V6].map(|family| grandmaster_host.address(Plane::Peer, family));
    let head = "[server]\nclock = \"virtual\"\nvirtual-offset = 3000000\n";
    let file = ConfigFile::new(&programs, boundary_host, head)?;
    let upstream = |server: IpAddr| {
        let interface = Plane::Peer.interface();
        format!("[server.upstream]\ninterface = \"{interface}\"\nserver = [\"{server}\"]\n")
    };
    let boundary = file.run(&upstream(first))?;
    let client =
        programs.client(client_host, Family::V4, &[boundary_host], &["--virtual-offset", "5000000"])?;
    for process in [&boundary, &client] {
        assert_close(process).with_context(|| format!("{}\n{}", process.name(), process.tail()))?;
    }
    let passes_on = |class: u8| {
        eventually(&format!("class {class} comes through"), PATIENCE, || {
            Ok(announce(&programs, client_host)?["clock_class"] == class)
        })
    };
    passes_on(6)?;
    let mark = boundary.mark();
    let Ended { code, stdout, stderr } = file.reload(&upstream(second))?;
    ensure!(code == Some(0) && stdout.contains("\"applied\":[\"upstream.server\"]"), "{stdout}{stderr}");
    boundary.wait_after(mark, "the other server in use", PATIENCE, |line| {
        let used = line.is("sample") && line.json.as_ref()?["used"] == true;
        (used && line.text_of("server") == Some(&second.to_string())).then_some(())
    })?;
    eventually("the server serves one client", PATIENCE, || {
        let mut stats = Command::new(programs.path());
        stats.args(["stats", Plane::Peer.interface(), "--run-dir"]).arg(programs.run_dir());
        let stats: Value = serde_json::from_str(&programs.run(grandmaster_host, stats)?.stdout)?;
        Ok(stats["totals"]["clients"] == 1)
    })?;
    passes_on(6)?;
    let lost = client.lines(0).into_iter().find(|line| line.is_event("unusable") || line.is_event("expired"));
    ensure!(lost.is_none(), "{lost:?}");
    Ok(())
}

/// The XDP program lets it pass, since it knows no grant, and the server answers.
#[test]
fn a_delay_req_without_a_grant_is_answered_by_a_cancel() -> Result<()> {
    if !have("a_delay_req_without_a_grant_is_answered_by_a_cancel", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["server", "client"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [server_host, client_host] = world.hosts() else { unreachable!("two names were given") };
    let _server = programs.server(server_host, "server", &[])?;
    for family in [Family::V4, Family::V6] {
        let own = client_host.address(Plane::Ours, family);
        let general = client_host.namespace().enter(|| Ok(UdpSocket::bind((own, 320))?))?;
        general.set_read_timeout(Some(PATIENCE))?;
        let header = Header { source_port_identity: PortIdentity::from_bytes([7; 10]), ..Header::default() };
        let mut octets = [0; 64];
        let body = Body::DelayReq { origin_timestamp: Timestamp::ZERO };
        let length = Message::new(header, body).emit(&mut octets)?;
        let server = server_host.address(Plane::Ours, family);
        client_host.socket(Plane::Ours, family)?.send_to(&octets[..length], (server, 319))?;
        let mut answer = [0; 256];
        let (length, from) = general.recv_from(&mut answer)?;
        ensure!(from.ip() == server, "from {from}");
        let message = Message::parse(&answer[..length])?;
        let cancelled: Vec<_> = message
            .suffix
            .iter()
            .filter_map(|tlv| match tlv {
                Tlv::CancelUnicast(CancelUnicast { message_type, maintain_grant: false, .. }) => {
                    Some(message_type)
                }
                _ => None,
            })
            .collect();
        ensure!(
            cancelled == [MessageType::Announce, MessageType::Sync, MessageType::DelayResp],
            "{family:?}: {message:?}"
        );
    }
    Ok(())
}
