//! Together with linuxptp, over the router, IPv4 and IPv6, software stamps.

use anyhow::{Result, ensure};
use ptp_tests::netns::{Family, Host, Plane, World};
use ptp_tests::peers::{PTP4L, Ptp4l, Rates, Reading};
use ptp_tests::process::Line;
use ptp_tests::program::PtpCtl;
use ptp_tests::{Need, have};
use std::time::Duration;

const NEEDS: &[Need] = &[Need::Root, Need::Program("ip"), Need::Program(PTP4L), Need::PtpCtl];
/// Longer than any of this takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
/// Both ends count one clock, so this is measurement error alone. On a busy machine caches and the scheduler make tens of
/// microseconds of it; what is looked for here is wrong by far more.
const CLOSE_NS: f64 = 100_000.0;

/// The world carries PTP and the peer works in it: without this, the other tests here say nothing.
#[test]
fn ptp4l_works_with_itself() -> Result<()> {
    if !have("ptp4l_works_with_itself", &NEEDS[..3]) {
        return Ok(());
    }
    let world = World::new(&["server", "client"])?;
    let [server, client] = world.hosts() else { unreachable!("two names were given") };
    for family in [Family::V4, Family::V6] {
        let _server = Ptp4l::server(server, Plane::Peer, family)?;
        assert_ptp4l_follows(client, server, Plane::Peer, family)?;
    }
    Ok(())
}

#[test]
fn our_client_follows_ptp4l() -> Result<()> {
    if !have("our_client_follows_ptp4l", NEEDS) {
        return Ok(());
    }
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let world = World::new(&["server", "client"])?;
    let [server, client] = world.hosts() else { unreachable!("two names were given") };
    for family in [Family::V4, Family::V6] {
        let _server = Ptp4l::server(server, Plane::Ours, family)?;
        let options = ["--virtual-offset", "-3000000", "--virtual-frequency", "-20000"];
        let mut ours = programs.client(client, family, &[server], &options)?;
        ours.wait_for("the lock", PATIENCE, |line| is_locked(line).then_some(()))?;
        let mark = ours.mark();
        let mut offsets = Vec::new();
        ours.wait_after(mark, "25 samples", PATIENCE, |line| {
            offsets.extend(line.is("sample").then(|| line.number_of("offset_ns")).flatten());
            (offsets.len() == 25).then_some(())
        })?;
        let close = offsets.iter().filter(|offset| offset.abs() < CLOSE_NS).count();
        ensure!(close >= 20, "{family:?}: only {close} of these are close: {offsets:?}");
        let status = ours.terminate(PATIENCE)?;
        ensure!(status.success(), "{family:?}: the client ended with {status}\n{}", ours.tail());
    }
    Ok(())
}

#[test]
fn ptp4l_follows_our_server() -> Result<()> {
    if !have("ptp4l_follows_our_server", NEEDS) {
        return Ok(());
    }
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let world = World::new(&["server", "client"])?;
    let [server, client] = world.hosts() else { unreachable!("two names were given") };
    for mode in ["two-step", "one-step"] {
        let mut ours = programs.server(server, "server", &["--sync-mode", mode])?;
        for family in [Family::V4, Family::V6] {
            assert_ptp4l_follows(client, server, Plane::Ours, family)?;
        }
        let status = ours.terminate(PATIENCE)?;
        ensure!(status.success(), "{mode}: the server ended with {status}\n{}", ours.tail());
    }
    Ok(())
}

fn assert_ptp4l_follows(client: &Host, server: &Host, plane: Plane, family: Family) -> Result<()> {
    let servers = [server.address(plane, family)];
    let client = Ptp4l::client(client, plane, family, &servers, Rates::default())?;
    let mut offsets = Vec::new();
    client.process.wait_for("5 offsets", PATIENCE, |line| {
        if let Some(Reading::Offset { offset_ns, .. }) = Reading::parse(&line.text) {
            offsets.push(offset_ns);
        }
        (offsets.len() == 5).then_some(())
    })?;
    let close = offsets.iter().filter(|offset| offset.abs() < CLOSE_NS).count();
    ensure!(close >= 3, "{family:?}: only {close} of these are close: {offsets:?}");
    Ok(())
}

fn is_locked(line: &Line) -> bool {
    line.is("sample") && line.text_of("state") == Some("locked")
}
