//! Management by linuxptp's pmc: client, server and boundary clock answer it as ptp4l does.

use anyhow::{Context as _, Result, ensure};
use ptp_common::wire::management::{
    DataSet, ManagementError, ManagementTlv, UnicastState, action, management_id,
};
use ptp_common::wire::{Body, Header, Management, Message, PortIdentity, Tlv};
use ptp_tests::netns::{Family, Plane, World};
use ptp_tests::process::Process;
use ptp_tests::program::PtpCtl;
use ptp_tests::{Need, eventually, have};
use std::collections::HashMap;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const NEEDS: &[Need] = &[Need::Root, Need::Program("ip"), Need::Program("pmc"), Need::PtpCtl];
/// Longer than any of this takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
/// What Debian's pmc (3.1.1) knows of what we tell.
const GETS: [&str; 7] = [
    "GET DEFAULT_DATA_SET",
    "GET CURRENT_DATA_SET",
    "GET PARENT_DATA_SET",
    "GET TIME_PROPERTIES_DATA_SET",
    "GET PORT_DATA_SET",
    "GET TIME_STATUS_NP",
    "GET PORT_STATS_NP",
];

/// The sockets of one test.
struct Sockets<'a> {
    directory: &'a Path,
}

impl Sockets<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.management"))
    }

    /// What pmc prints when it asks the controller of that name.
    fn pmc(&self, name: &str, commands: &[&str]) -> Result<String> {
        let mut command = Command::new("pmc");
        command.args(["-u", "-b", "0"]);
        command.arg("-i").arg(self.directory.join("pmc")).arg("-s").arg(self.path(name));
        let output = command.args(commands).output().context("cannot run pmc")?;
        ensure!(output.status.success(), "pmc: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The fields of all data sets, by name; of a field that several have, the last.
    fn fields(&self, name: &str, commands: &[&str]) -> Result<HashMap<String, String>> {
        let text = self.pmc(name, commands)?;
        ensure!(text.matches("RESPONSE").count() >= commands.len(), "an answer is missing: {text}");
        let pair = |line: &str| {
            let (key, value) = line.trim().split_once(char::is_whitespace)?;
            Some((key.to_owned(), value.trim().to_owned()))
        };
        Ok(text.lines().filter_map(pair).collect())
    }

    /// The answers to a request that pmc 3.1.1 does not know, or would not send.
    fn ask(&self, name: &str, action: u8, management_id: u16) -> Result<Vec<Vec<u8>>> {
        let own = self.directory.join("asker");
        let _ = std::fs::remove_file(&own);
        let socket = UnixDatagram::bind(&own)?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut octets = [0; 128];
        let body = Body::Management(Management {
            target_port_identity: PortIdentity::WILDCARD,
            starting_boundary_hops: 0,
            boundary_hops: 0,
            action,
        });
        let id = management_id.to_be_bytes();
        let tlv = Tlv::Unknown { tlv_type: 1, value: &id };
        let length = Message::new(Header::default(), body).emit_with_tlvs(&[tlv], &mut octets)?;
        socket.send_to(&octets[..length], self.path(name))?;
        let mut answers = Vec::new();
        let mut buffer = [0; 2048];
        while let Ok(length) = socket.recv(&mut buffer) {
            answers.push(buffer[..length].to_vec());
        }
        Ok(answers)
    }
}

fn assert_ends_well(mut process: Process) -> Result<()> {
    let status = process.terminate(PATIENCE)?;
    ensure!(status.success(), "{} ended with {status}\n{}", process.name(), process.tail());
    Ok(())
}

#[test]
fn pmc_reads_client_boundary_and_server() -> Result<()> {
    if !have("pmc_reads_client_boundary_and_server", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["server", "boundary", "client"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [server_host, boundary_host, client_host] = world.hosts() else {
        unreachable!("three names were given")
    };
    let sockets = Sockets { directory: programs.run_dir() };
    let paths = ["server", "boundary", "client"].map(|name| sockets.path(name).display().to_string());
    let [at_server, at_boundary, at_client] =
        paths.each_ref().map(|path| ["--management-socket", path.as_str()]);
    let grandmaster = ["--clock-class", "6", "--time-source", "32", "--priority1", "11"];
    let server = programs.server(server_host, "server", &[&at_server[..], &grandmaster].concat())?;
    let upstream = server_host.address(Plane::Ours, Family::V4).to_string();
    let mut command = programs.command_with_directories("server");
    command.args(["--json", "--clock", "virtual", "--virtual-offset", "3000000", "--upstream", &upstream]);
    command.args(at_boundary);
    let boundary = boundary_host.spawn("boundary", command)?;
    let client = programs.client(
        client_host,
        Family::V4,
        &[boundary_host],
        &[&at_client[..], &["--virtual-offset", "5000000"]].concat(),
    )?;
    client.wait_for("the lock", PATIENCE, |line| {
        (line.is("sample") && line.text_of("state") == Some("locked")).then_some(())
    })?;
    // Anew, once the boundary clock has found its grandmaster.
    eventually("the lock, the grandmaster two steps away", PATIENCE, || {
        let fields = sockets.fields("client", &["GET CURRENT_DATA_SET", "GET PORT_DATA_SET"])?;
        Ok(fields["stepsRemoved"] == "2" && fields["portState"] == "SLAVE")
    })?;

    let of_server = sockets.fields("server", &GETS)?;
    let of_boundary = sockets.fields("boundary", &GETS)?;
    let of_client = sockets.fields("client", &GETS)?;
    let identity = programs.stats(server_host)?["grandmaster_identity"].as_str().unwrap_or("").to_owned();
    for (fields, ports, state, steps, present) in [
        (&of_server, "1", "MASTER", "0", "false"),
        (&of_boundary, "2", "SLAVE", "1", "true"),
        (&of_client, "1", "SLAVE", "2", "true"),
    ] {
        ensure!(fields["numberPorts"] == ports && fields["portState"] == state, "{fields:#?}");
        ensure!(fields["stepsRemoved"] == steps && fields["gmPresent"] == present, "{fields:#?}");
        ensure!(fields["grandmasterIdentity"] == identity && fields["gmIdentity"] == identity, "{fields:#?}");
        ensure!(fields["grandmasterPriority1"] == "11" && fields["gm.ClockClass"] == "6", "{fields:#?}");
        ensure!(fields["timeSource"] == "0x20" && fields["delayMechanism"] == "1", "{fields:#?}");
    }
    ensure!(of_client["slaveOnly"] == "1" && of_server["slaveOnly"] == "0");
    for name in ["offsetFromMaster", "master_offset", "meanPathDelay"] {
        let value: f64 = of_client[name].parse().with_context(|| format!("{name} {}", of_client[name]))?;
        ensure!(value.abs() < 100_000.0, "{name} {value}");
    }
    for name in ["rx_Sync", "rx_Announce", "rx_Delay_Resp", "tx_Delay_Req", "tx_Signaling"] {
        ensure!(of_client[name].parse::<u64>()? > 0, "{name}: {of_client:#?}");
    }
    for name in ["tx_Sync", "tx_Announce", "tx_Delay_Resp", "rx_Delay_Req", "rx_Signaling"] {
        ensure!(of_server[name].parse::<u64>()? > 0, "{name}: {of_server:#?}");
    }

    let answers = sockets.ask("client", action::GET, management_id::UNICAST_MASTER_TABLE_NP)?;
    ensure!(answers.len() == 1, "{} answers", answers.len());
    let message = Message::parse(&answers[0])?;
    let tlv = message.suffix.iter().find_map(|tlv| ManagementTlv::of(&tlv)).context("no MANAGEMENT TLV")?;
    let DataSet::UnicastMasterTable(table) = DataSet::parse(tlv.management_id, tlv.data)? else {
        anyhow::bail!("{tlv:?}")
    };
    let servers: Vec<_> = table.iter().collect();
    ensure!(
        servers.len() == 1
            && servers[0].selected
            && servers[0].state == UnicastState::HaveSyncAndDelay
            && servers[0].address == boundary_host.address(Plane::Ours, Family::V4),
        "{servers:?}"
    );

    for process in [client, boundary, server] {
        assert_ends_well(process)?;
    }
    ensure!(!sockets.path("client").exists(), "the socket is left behind");
    Ok(())
}

#[test]
fn what_cannot_be_read_or_set_is_refused() -> Result<()> {
    if !have("what_cannot_be_read_or_set_is_refused", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["server"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [host] = world.hosts() else { unreachable!("one name was given") };
    let sockets = Sockets { directory: programs.run_dir() };
    let path = sockets.path("server").display().to_string();
    let server = programs.server(host, "server", &["--management-socket", &path])?;

    let text = sockets.pmc("server", &["SET PRIORITY1 7", "GET PRIORITY1"])?;
    ensure!(text.matches("MANAGEMENT_ERROR_STATUS").count() == 2, "{text}");
    for (act, id, error_id) in [
        (action::GET, 0xc0ff, ManagementError::NO_SUCH_ID),
        (action::SET, management_id::PORT_DATA_SET, ManagementError::NOT_SETABLE),
    ] {
        let answers = sockets.ask("server", act, id)?;
        let message = Message::parse(answers.first().context("no answer")?)?;
        let error = message.suffix.iter().find_map(|tlv| ManagementError::of(&tlv));
        ensure!(error == Some(ManagementError { error_id, management_id: id }), "{message:?}");
    }
    // Malformed: no answer, and counted.
    let socket = UnixDatagram::unbound()?;
    socket.send_to(&[0; 7], sockets.path("server"))?;
    eventually("the counters", PATIENCE, || {
        let counters = &programs.stats(host)?["counters"]["management"];
        Ok(counters["malformed"] == 1 && counters["refused"] == 4)
    })?;
    assert_ends_well(server)
}
