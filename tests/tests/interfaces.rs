//! One controller on two interfaces: a client whose servers are behind two uplinks, and a server that two uplinks lead to.

use anyhow::{Result, ensure};
use ptp_ctl::dataplane::probe;
use ptp_tests::netns::{Family, Host, Plane, World};
use ptp_tests::process::{Line, Process};
use ptp_tests::program::{Ended, PtpCtl, wait_until_started};
use ptp_tests::{Need, have};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::process::Command;
use std::time::Duration;

const NEEDS: &[Need] = &[Need::Root, Need::Program("ip"), Need::PtpCtl];
/// Longer than any of this takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
/// Far below the client's initial error, far above what a busy machine adds.
const CLOSE_NS: f64 = 100_000.0;
/// Messages after which nobody looks for a reason to switch any more.
const MANY: usize = 40;
/// Of the server that two uplinks lead to.
const LOOPBACK: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// `ptp-ctl SUBCOMMAND IFACE` with all directories.
fn command(programs: &PtpCtl, subcommand: &str, plane: Plane, options: &[&str]) -> Command {
    let mut command = Command::new(programs.path());
    command.args([subcommand, plane.interface(), "--bpffs"]).arg(programs.bpffs().path());
    if matches!(subcommand, "client" | "server") {
        command.arg("--run-dir").arg(programs.run_dir());
    }
    command.args(options);
    command
}

fn start(
    programs: &PtpCtl,
    host: &Host,
    subcommand: &str,
    plane: Plane,
    options: &[&str],
) -> Result<Process> {
    let clock: &[&str] = match subcommand {
        "client" => {
            &["--json", "--clock", "virtual", "--virtual-offset", "5000000", "--virtual-frequency", "30000"]
        }
        _ => &["--json", "--clock", "none"],
    };
    let name = format!("{subcommand} on {}", plane.interface());
    let process = host.spawn(&name, command(programs, subcommand, plane, &[clock, options].concat()))?;
    wait_until_started(&process)?;
    Ok(process)
}

/// What a command that fails says.
fn refused(programs: &PtpCtl, host: &Host, command: Command) -> Result<String> {
    let Ended { code, stdout, stderr } = programs.run(host, command)?;
    ensure!(code == Some(1), "ended with {code:?}: {stdout}{stderr}");
    Ok(stderr)
}

fn succeeds(programs: &PtpCtl, host: &Host, command: Command) -> Result<()> {
    let Ended { code, stderr, .. } = programs.run(host, command)?;
    ensure!(code == Some(0), "ended with {code:?}: {stderr}");
    Ok(())
}

/// The programs at both interfaces of the host.
fn attached(host: &Host) -> Result<[Option<u32>; 2]> {
    host.namespace().enter(|| {
        let mut programs = [None; 2];
        for (program, plane) in programs.iter_mut().zip([Plane::Ours, Plane::Peer]) {
            *program = probe::attached(plane.interface())?.map(|attached| attached.program_id);
        }
        Ok(programs)
    })
}

fn is_sample(line: &Line, server: &str, key: &str) -> bool {
    line.is("sample")
        && line.text_of("server") == Some(server)
        && line.json.as_ref().is_some_and(|json| json[key] == true)
}

fn assert_follows(client: &Process, from: usize, server: &str, count: usize) -> Result<()> {
    let mut seen = 0;
    client.wait_after(from, &format!("{count} samples of {server} in use"), PATIENCE, |line| {
        seen += usize::from(is_sample(line, server, "used"));
        (seen >= count).then_some(())
    })
}

fn assert_locks(client: &Process) -> Result<()> {
    client.wait_for("the lock", PATIENCE, |line| {
        (line.is("sample") && line.text_of("state") == Some("locked")).then_some(())
    })?;
    client.wait_after(client.mark(), "the truth close by", PATIENCE, |line| {
        (line.is("clock") && line.number_of("true_error_ns")?.abs() < CLOSE_NS).then_some(())
    })
}

fn assert_ends_well(mut process: Process) -> Result<()> {
    let status = process.terminate(PATIENCE)?;
    ensure!(status.success(), "{} ended with {status}\n{}", process.name(), process.tail());
    Ok(())
}

fn count(stats: &Value, pointer: &str) -> u64 {
    stats.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

#[test]
fn a_client_follows_over_the_uplink_that_is_left() -> Result<()> {
    if !have("a_client_follows_over_the_uplink_that_is_left", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["east", "west", "client"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [east_host, west_host, host] = world.hosts() else { unreachable!("three names were given") };
    let servers = [
        start(&programs, east_host, "server", Plane::Ours, &[])?,
        start(&programs, west_host, "server", Plane::Peer, &[])?,
    ];
    let east = east_host.address(Plane::Ours, Family::V4).to_string();
    let west = west_host.address(Plane::Peer, Family::V6).to_string();
    let options = ["--also-interface", Plane::Peer.interface(), "--server", &east, "--server", &west];
    let client = start(&programs, host, "client", Plane::Ours, &options)?;
    assert_locks(&client)?;
    assert_follows(&client, 0, &east, 1)?;
    client.wait_for("samples of the standby", PATIENCE, |line| {
        (line.is("sample") && line.text_of("server") == Some(&west)).then_some(())
    })?;
    let stats = programs.stats(host)?;
    for (key, value) in [
        ("also_interfaces", json!([Plane::Peer.interface()])),
        ("xdp_mode", json!("native")),
        ("rx_timestamp_source", json!("xdp-sw")),
    ] {
        ensure!(stats[key] == value, "{key}: {stats:#}");
    }
    // Sync of both came by the program: a stamp of another kind would have made no sample.
    ensure!(count(&stats, "/counters/xdp/taken") > 0, "{stats:#}");
    for counter in ["/counters/rx/event_via_socket", "/counters/rx/other_interface"] {
        ensure!(count(&stats, counter) == 0, "{counter}: {stats:#}");
    }
    let [ours, peer] = attached(host)?;
    ensure!(ours.is_some() && ours == peer, "one program at both: {ours:?} {peer:?}");

    let mark = client.mark();
    host.namespace().batch(&format!("link set {} down\n", Plane::Ours.interface()))?;
    client.wait_after(mark, "the news of the link", PATIENCE, |line| {
        (line.is_event("link_down") && line.text_of("detail") == Some(Plane::Ours.interface())).then_some(())
    })?;
    assert_follows(&client, mark, &west, 1)?;
    let mark = client.mark();
    assert_follows(&client, mark, &west, MANY)?;
    let strays = client.lines(mark).iter().filter(|line| is_sample(line, &east, "selected")).count();
    ensure!(strays == 0, "{strays} samples of a server that cannot be reached");
    let stats = programs.stats(host)?;
    ensure!(stats["selected_server"] == west.as_str() && stats["state"] == "locked", "{stats:#}");

    assert_ends_well(client)?;
    ensure!(attached(host)? == [None, None], "nothing is left at the interfaces");
    servers.into_iter().try_for_each(assert_ends_well)
}

#[test]
fn a_loopback_address_is_served_over_two_uplinks() -> Result<()> {
    if !have("a_loopback_address_is_served_over_two_uplinks", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["server", "near", "far"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [host, near, far] = world.hosts() else { unreachable!("three names were given") };
    let [v4, v6] = LOOPBACK;
    let own = ["--also-interface", Plane::Peer.interface(), "--local-address", v4, "--local-address", v6];
    let missing = refused(&programs, host, command(&programs, "server", Plane::Ours, &own))?;
    ensure!(missing.contains(&format!("ip address add {v4} dev lo")), "{missing}");

    // Who comes from the one plane is routed over it, and so is who comes from the other.
    host.namespace().batch(&format!("address add {v4}/32 dev lo\naddress add {v6}/128 dev lo nodad\n"))?;
    world.router().namespace().batch(&format!(
        "route add {v4} via 10.0.1.2\nroute add {v4} via 10.1.1.2 table 100\nrule add from 10.1.0.0/16 lookup 100\n"
    ))?;
    world.router().namespace().batch_v6(&format!(
        "route add {v6} via fd00:0:1::2\nroute add {v6} via fd00:1:1::2 table 100\nrule add from fd00:1::/32 lookup 100\n"
    ))?;
    near.namespace().batch(&format!("route add {v4} via 10.0.2.1\n"))?;
    far.namespace().batch_v6(&format!("route add {v6} via fd00:1:3::1\n"))?;

    for (options, is_xdp) in [
        (["--xdp-mode", "native"], true),
        (["--xdp-mode", "generic"], true),
        (["--data-plane", "socket"], false),
    ] {
        let case = format!("{options:?}");
        let server = start(&programs, host, "server", Plane::Ours, &[&own[..], &options[..]].concat())?;
        let clients = [
            start(&programs, near, "client", Plane::Ours, &["--server", v4])?,
            start(&programs, far, "client", Plane::Peer, &["--server", v6])?,
        ];
        for client in &clients {
            assert_locks(client)?;
        }
        let stats = programs.stats(host)?;
        ensure!(stats["local_addresses"] == json!(LOOPBACK), "{case}: {stats:#}");
        ensure!(stats["clients"].as_array().map(Vec::len) == Some(2), "{case}: {stats:#}");
        // Delay_Req of both: the program's, or none.
        let taken = count(&stats, "/counters/xdp/taken") + count(&stats, "/counters/xdp/answered");
        ensure!((taken > 0) == is_xdp, "{case}: {stats:#}");
        ensure!((count(&stats, "/counters/rx/event") == 0) == is_xdp, "{case}: {stats:#}");
        ensure!(count(&stats, "/counters/rx/other_interface") == 0, "{case}: {stats:#}");
        // The interface's own address is nobody's.
        let socket = near.socket(Plane::Ours, Family::V4)?;
        socket.connect((host.address(Plane::Ours, Family::V4), 320))?;
        socket.send(b"?")?;
        let answer = socket.recv(&mut [0; 8]).map_err(|error| error.kind());
        ensure!(answer == Err(ErrorKind::ConnectionRefused), "{case}: {answer:?}");

        // An uplink fails, the routes change, and nobody is to notice.
        let [near_client, far_client] = clients;
        let mark = near_client.mark();
        host.namespace().batch("link set ours0 down\nroute add 10.0.0.0/16 via 10.1.1.1\n")?;
        world.router().namespace().batch(&format!("route replace {v4} via 10.1.1.2\n"))?;
        assert_follows(&near_client, mark, v4, MANY)?;
        host.namespace().batch(
            "route del 10.0.0.0/16\nlink set ours0 up\nroute add 10.0.0.0/16 via 10.0.1.1\naddress replace fd00:0:1::2/48 dev ours0 nodad\n",
        )?;
        world.router().namespace().batch(&format!("route replace {v4} via 10.0.1.2\n"))?;
        for process in [near_client, far_client, server] {
            assert_ends_well(process)?;
        }
    }
    Ok(())
}

#[test]
fn an_attached_set_of_interfaces_is_used_and_taken_off_whole() -> Result<()> {
    if !have("an_attached_set_of_interfaces_is_used_and_taken_off_whole", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["server", "client"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [server_host, host] = world.hosts() else { unreachable!("two names were given") };
    let [ours, peer] = [Plane::Ours.interface(), Plane::Peer.interface()];
    let also = ["--also-interface", peer];
    succeeds(&programs, host, command(&programs, "attach", Plane::Ours, &also))?;
    let programs_at = attached(host)?;
    ensure!(programs_at.iter().all(Option::is_some), "{programs_at:?}");
    // To read the NICs' stamps, each interface has a copy of its own.
    let copies = host.namespace().enter(|| Ok(probe::can_read_nic_stamps(ours)?))?;
    ensure!((programs_at[0] != programs_at[1]) == copies, "{programs_at:?}");

    // Nobody takes a part of it.
    let server = server_host.address(Plane::Peer, Family::V4).to_string();
    for (subcommand, plane, options, expected) in [
        ("attach", Plane::Peer, &[][..], format!("ptp-ctl detach {ours}")),
        ("detach", Plane::Peer, &[], format!("ptp-ctl detach {ours}")),
        ("client", Plane::Peer, &["--server", &server], format!("ptp-ctl detach {ours}")),
        ("client", Plane::Ours, &["--server", &server], format!("is at {ours}, {peer}, not at what")),
    ] {
        let why = refused(&programs, host, command(&programs, subcommand, plane, options))?;
        ensure!(why.contains(&expected), "{subcommand} {plane:?}: {why}");
    }
    ensure!(attached(host)? == programs_at, "refusals changed something");

    let _server = start(&programs, server_host, "server", Plane::Peer, &[])?;
    let options = [&also[..], &["--server", &server]].concat();
    for _ in 0..2 {
        let client = start(&programs, host, "client", Plane::Ours, &options)?;
        assert_locks(&client)?;
        ensure!(attached(host)? == programs_at, "the client did not use what was attached");
        let in_use =
            refused(&programs, host, command(&programs, "client", Plane::Peer, &["--server", &server]))?;
        ensure!(in_use.contains(&format!("a controller is already running on {peer}")), "{in_use}");
        assert_ends_well(client)?;
    }
    // Counted by the one set of maps, under both names.
    for plane in [Plane::Ours, Plane::Peer] {
        let mut stats = command(&programs, "stats", plane, &["--run-dir"]);
        stats.arg(programs.run_dir());
        let Ended { stdout, .. } = programs.run(host, stats)?;
        let stats: Value = serde_json::from_str(&stdout)?;
        ensure!(count(&stats, "/counters/xdp/taken") > 0, "{stats:#}");
    }
    succeeds(&programs, host, command(&programs, "detach", Plane::Ours, &[]))?;
    ensure!(attached(host)? == [None, None], "detached from all");
    ensure!(programs.bpffs().pins()?.is_empty(), "detach left {:?}", programs.bpffs().pins()?);

    // One that is attached by itself is not taken either.
    succeeds(&programs, host, command(&programs, "attach", Plane::Peer, &[]))?;
    for subcommand in ["attach", "client"] {
        let options = if subcommand == "client" { &options[..] } else { &also };
        let why = refused(&programs, host, command(&programs, subcommand, Plane::Ours, options))?;
        ensure!(why.contains(&format!("{peer} is attached already")), "{subcommand}: {why}");
        ensure!(attached(host)?[0].is_none(), "{subcommand} left a program at {ours}");
    }
    succeeds(&programs, host, command(&programs, "detach", Plane::Peer, &[]))
}

#[test]
fn a_boundary_clock_has_its_servers_behind_the_other_interface() -> Result<()> {
    if !have("a_boundary_clock_has_its_servers_behind_the_other_interface", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["grandmaster", "boundary", "client"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [grandmaster_host, host, client_host] = world.hosts() else { unreachable!("three names were given") };
    let grandmaster = start(&programs, grandmaster_host, "server", Plane::Peer, &[])?;
    let upstream = grandmaster_host.address(Plane::Peer, Family::V4).to_string();
    let mut boundary = command(&programs, "server", Plane::Ours, &["--json", "--upstream", &upstream]);
    boundary.args(["--also-interface", Plane::Peer.interface()]);
    boundary.args(["--clock", "virtual", "--virtual-offset", "3000000", "--holdover-limit", "1000000000"]);
    let boundary = host.spawn("boundary", boundary)?;
    assert_locks(&boundary)?;
    let server = host.address(Plane::Ours, Family::V4).to_string();
    let client = start(&programs, client_host, "client", Plane::Ours, &["--server", &server])?;
    assert_locks(&client)?;
    let stats = programs.stats(host)?;
    ensure!(stats["role"] == "boundary" && stats["standing"] == "locked", "{stats:#}");
    ensure!(count(&stats, "/counters/rx/event_via_socket") == 0, "{stats:#}");
    [client, boundary, grandmaster].into_iter().try_for_each(assert_ends_well)
}

#[test]
fn what_several_interfaces_cannot_do_is_said() -> Result<()> {
    if !have("what_several_interfaces_cannot_do_is_said", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["host"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [host] = world.hosts() else { unreachable!("one name was given") };
    let also = ["--also-interface", Plane::Peer.interface()];
    for (options, expected) in [
        (&["--sync-plane", "massive"][..], "one interface only; use --sync-plane precise"),
        (&["--clock", "phc"], "needs the NIC's stamps"),
        (&["--also-interface", "nosuch0"], "there is no interface nosuch0"),
        (&["--also-interface", "lo", "--rx-timestamp", "xdp-sw"], "cannot be had on lo"),
    ] {
        let options = [&also[..], options].concat();
        let why = refused(&programs, host, command(&programs, "server", Plane::Ours, &options))?;
        ensure!(why.contains(expected), "{options:?}: {why}");
    }
    let many = [&also[..], &["--max-clients", "5000"]].concat();
    let server = start(&programs, host, "server", Plane::Ours, &many)?;
    let stats = programs.stats(host)?;
    ensure!(stats["sync_plane"] == "precise", "{stats:#}");
    ensure!(
        stats["sync_plane_reason"].as_str().is_some_and(|why| why.contains("one interface")),
        "{stats:#}"
    );
    assert_ends_well(server)?;

    // The ports are everybody's or nobody's.
    host.namespace().batch("link add spare0 type veth peer name spare1\n")?;
    let socket = ["--data-plane", "socket"];
    let server = start(&programs, host, "server", Plane::Peer, &socket)?;
    let options = [&["--also-interface", "spare0"][..], &socket].concat();
    let why = refused(&programs, host, command(&programs, "server", Plane::Ours, &options))?;
    ensure!(why.contains("UDP port 319 (IPv4) for all interfaces is in use by ptp-ctl"), "{why}");
    assert_ends_well(server)
}
