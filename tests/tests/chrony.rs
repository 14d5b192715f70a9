//! chrony steers by what a client of ours measures. It runs with `-x` here: it takes the samples and never touches the clock.

use anyhow::{Context as _, Result, ensure};
use ptp_tests::netns::{Family, Plane, World};
use ptp_tests::program::{PtpCtl, wait_until_started};
use ptp_tests::{Need, eventually, have};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::process::Command;
use std::time::Duration;

const NEEDS: &[Need] =
    &[Need::Root, Need::Program("ip"), Need::Program("chronyd"), Need::Program("chronyc"), Need::PtpCtl];
/// Longer than any of this takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
/// The server is so far ahead of the clock that chrony would steer, s.
const AHEAD: f64 = 0.005;
/// Far below that, far above what a busy machine adds.
const CLOSE: f64 = 0.000_2;

#[test]
fn chrony_takes_our_samples() -> Result<()> {
    if !have("chrony_takes_our_samples", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["server", "client"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [server_host, client_host] = world.hosts() else { unreachable!("two names were given") };
    let mut command = programs.command_with_directories("server");
    let ahead = format!("{}", AHEAD * 1e9);
    command.args(["--json", "--clock", "virtual", "--virtual-offset", &ahead]);
    let server = server_host.spawn("server", command)?;
    wait_until_started(&server)?;

    // The client is there first: chrony may come and go.
    let socket = programs.run_dir().join("ptp.sock");
    let mut command = programs.command_with_directories("client");
    command.args(["--json", "--clock", "chrony", "--chrony-socket"]).arg(&socket);
    command.arg("--server").arg(server_host.address(Plane::Ours, Family::V4).to_string());
    let mut client = client_host.spawn("client", command)?;
    let counter = |name: &str| -> Result<u64> {
        programs.stats(client_host)?["counters"]["clock"][name].as_u64().context("no such counter")
    };
    client.wait_for("a sample", PATIENCE, |line| line.is("sample").then_some(()))?;
    eventually("that nobody takes samples", PATIENCE, || Ok(counter("samples_not_taken")? > 0))?;

    // chronyd wants its command socket where nobody else gets.
    let directory = programs.run_dir().join("chrony");
    DirBuilder::new().mode(0o700).create(&directory)?;
    let commands = directory.join("chronyd.sock");
    let configuration = directory.join("chrony.conf");
    std::fs::write(
        &configuration,
        format!(
            "refclock SOCK {} refid PTP poll 0 filter 1 precision 1e-6\nbindcmdaddress {}\npidfile {}\ncmdport 0\nport 0\n",
            socket.display(),
            commands.display(),
            directory.join("chronyd.pid").display()
        ),
    )?;
    let mut command = Command::new("chronyd");
    command.args(["-x", "-d", "-u", "root", "-f"]).arg(&configuration);
    let mut chronyd = client_host.spawn("chronyd", command)?;
    eventually("the samples among chrony's sources", PATIENCE, || {
        let mut command = Command::new("chronyc");
        command.arg("-c").arg("-h").arg(&commands).arg("sources");
        let output = command.output().context("cannot run chronyc")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let Some(line) = text.lines().find(|line| line.contains(",PTP,")) else { return Ok(false) };
        // Mode, state, name, stratum, poll, reach, age, offset, measured offset, error.
        let fields: Vec<&str> = line.split(',').collect();
        let [_, _, _, _, _, reach, _, _, measured, _] = fields[..] else { anyhow::bail!("{line}") };
        if reach == "0" || measured.parse() == Ok(0.0) {
            return Ok(false);
        }
        // chrony's sign: positive when the local clock is ahead of the source.
        let measured: f64 = measured.parse().with_context(|| line.to_owned())?;
        ensure!((measured + AHEAD).abs() < CLOSE, "{line}");
        Ok(true)
    })
    .with_context(|| chronyd.tail())?;
    ensure!(counter("samples_given")? > 0);
    let status = client.terminate(PATIENCE)?;
    ensure!(status.success(), "the client ended with {status}\n{}", client.tail());
    chronyd.terminate(PATIENCE)?;
    Ok(())
}
