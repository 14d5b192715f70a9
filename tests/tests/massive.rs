//! The massive plane on real interfaces: Sync, Announce and Delay_Resp from the kernel.
//!
//! The router has an XDP program towards the server: virtual Ethernet would lose what XDP sends otherwise.

use anyhow::{Context, Result, ensure};
use ptp_common::time::Timestamp;
use ptp_common::wire::{
    Body, ClockIdentity, Flags, Header, Message, MessageType, PortIdentity, RequestUnicast, Tlv,
};
use ptp_ctl::dataplane::probe;
use ptp_tests::netns::{Family, Host, Plane, World};
use ptp_tests::peers::{PTP4L, Ptp4l, Rates, Reading};
use ptp_tests::program::{Ended, PtpCtl};
use ptp_tests::{Need, eventually, have};
use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

const NEEDS: &[Need] = &[Need::Root, Need::Program("ip"), Need::PtpCtl];
/// Longer than any of this takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
const MASSIVE: &[&str] = &["--sync-plane", "massive"];
/// Both ends count one clock, so this is measurement error alone; what is looked for here is wrong by far more.
const CLOSE_NS: f64 = 100_000.0;

#[test]
fn ptp4l_follows_the_massive_plane() -> Result<()> {
    if !have("ptp4l_follows_the_massive_plane", &[NEEDS, &[Need::Program(PTP4L)]].concat()) {
        return Ok(());
    }
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let world = World::new(&["server", "client"])?;
    let [server, client] = world.hosts() else { unreachable!("two names were given") };
    let _polling = world.router().poll_towards(server, Plane::Ours)?;
    for family in [Family::V4, Family::V6] {
        let mut ours = programs.server(server, "server", MASSIVE)?;
        let servers = [server.address(Plane::Ours, family)];
        let ptp4l = Ptp4l::client(client, Plane::Ours, family, &servers, Rates::default())?;
        let mut offsets = Vec::new();
        ptp4l.process.wait_for("10 offsets", PATIENCE, |line| {
            if let Some(Reading::Offset { offset_ns, .. }) = Reading::parse(&line.text) {
                offsets.push(offset_ns);
            }
            (offsets.len() == 10).then_some(())
        })?;
        let close = offsets.iter().filter(|offset| offset.abs() < CLOSE_NS).count();
        eprintln!("{family:?}: ptp4l's offsets against the massive plane, ns: {offsets:?}");
        ensure!(close >= 7, "{family:?}: only {close} of these are close: {offsets:?}");
        let stats = programs.stats(server)?;
        ensure!(stats["sync_plane"] == "massive" && stats["delay_resp_plane"] == "xdp", "{stats:#}");
        for counter in
            ["/counters/fan_out/sync_sent", "/counters/fan_out/announce_sent", "/counters/xdp/answered"]
        {
            let count = stats.pointer(counter).and_then(serde_json::Value::as_u64);
            ensure!(count.is_some_and(|count| count > 3), "{family:?} {counter}: {stats:#}");
        }
        // Everything came from the kernel.
        for counter in ["/counters/engine/sync_sent", "/counters/engine/delay_req"] {
            ensure!(stats.pointer(counter) == Some(&0.into()), "{family:?} {counter}: {stats:#}");
        }
        let status = ours.terminate(PATIENCE)?;
        ensure!(status.success(), "the server ended with {status}\n{}", ours.tail());
    }
    Ok(())
}

/// The controller is killed and started again: no REQUEST is needed, and no sequenceId is left out.
#[test]
fn sync_goes_on_where_it_stopped() -> Result<()> {
    if !have("sync_goes_on_where_it_stopped", NEEDS) {
        return Ok(());
    }
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let world = World::new(&["server", "client"])?;
    let [server, client] = world.hosts() else { unreachable!("two names were given") };
    let _polling = world.router().poll_towards(server, Plane::Ours)?;
    let Ended { code, stderr, .. } = programs.run(server, programs.command_with_bpffs("attach"))?;
    ensure!(code == Some(0), "attach: {stderr}");
    for family in [Family::V4, Family::V6] {
        let mut ours = programs.server(server, "server", MASSIVE)?;
        let client = Client::new(client, server.address(Plane::Ours, family), family)?;
        client.request(&[
            (MessageType::Announce, 0),
            (MessageType::Sync, -4),
            (MessageType::DelayResp, -4),
        ])?;
        let (_, ifindex) = server.interface_key(Plane::Ours)?;
        let spare = format!("ptp-fan{ifindex}");
        let attached = server.namespace().enter(|| Ok(probe::attached(&spare)?))?;
        ensure!(attached.is_some(), "the fan-out program is not attached to {spare}: every run takes long");
        let (first, _) = client.sync()?;
        let mut last = first;
        for _ in 0..20 {
            let (sequence_id, _) = client.sync()?;
            ensure!(sequence_id == last.wrapping_add(1), "{family:?}: {last}, then {sequence_id}");
            last = sequence_id;
        }
        ours.kill()?;
        // Delay_Resp go on, Sync does not.
        while client.sync().is_ok_and(|(sequence_id, _)| {
            last = sequence_id;
            true
        }) {}
        client.delay_req(77)?;
        ensure!(client.delay_resp()? == 77, "{family:?}: no answer without the controller");
        let mut ours = programs.server(server, "server again", MASSIVE)?;
        let back = Instant::now();
        let (sequence_id, _) = client.sync().context("no Sync after the controller came back")?;
        eprintln!("{family:?}: the first Sync came {:?} after the controller", back.elapsed());
        ensure!(sequence_id == last.wrapping_add(1), "{family:?}: {last}, then {sequence_id}");
        let stats = programs.stats(server)?;
        let clients = stats["clients"].as_array().map_or(0, Vec::len);
        ensure!(clients == 1, "{family:?}: the controller knows {clients} clients: {stats:#}");
        let status = ours.terminate(PATIENCE)?;
        ensure!(status.success(), "the server ended with {status}\n{}", ours.tail());
    }
    let Ended { code, stderr, .. } = programs.run(server, programs.command_with_bpffs("detach"))?;
    ensure!(code == Some(0), "detach: {stderr}");
    Ok(())
}

/// A client behind a router that is not there is counted, and served once it is.
#[test]
fn an_unreachable_client_is_counted() -> Result<()> {
    if !have("an_unreachable_client_is_counted", NEEDS) {
        return Ok(());
    }
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let world = World::new(&["server", "client"])?;
    let [server, client] = world.hosts() else { unreachable!("two names were given") };
    let _polling = world.router().poll_towards(server, Plane::Ours)?;
    let mut ours = programs.server(server, "server", MASSIVE)?;
    let client = Client::new(client, server.address(Plane::Ours, Family::V4), Family::V4)?;
    client.request(&[(MessageType::Sync, -4)])?;
    client.sync()?;
    let counter = |name: &str| -> Result<u64> {
        let stats = programs.stats(server)?;
        stats["counters"]["fan_out"][name].as_u64().with_context(|| format!("no {name}: {stats:#}"))
    };
    // Some until the kernel knew the router's Ethernet address.
    let first = counter("unreachable")?;
    server.namespace().batch("route del 10.0.0.0/16\n")?;
    eventually("the missing route is noticed", PATIENCE, || Ok(counter("unreachable")? > first + 10))?;
    server.namespace().batch("route add 10.0.0.0/16 via 10.0.1.1\n")?;
    let before = counter("sync_sent")?;
    eventually("the route is used again", PATIENCE, || Ok(counter("sync_sent")? > before + 10))?;
    client.sync()?;
    let status = ours.terminate(PATIENCE)?;
    ensure!(status.success(), "the server ended with {status}\n{}", ours.tail());
    Ok(())
}

/// With `local-address`, Sync comes from there, whatever the routes say.
#[test]
fn sync_comes_from_the_local_address() -> Result<()> {
    if !have("sync_comes_from_the_local_address", NEEDS) {
        return Ok(());
    }
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let world = World::new(&["server", "client"])?;
    let [server, client] = world.hosts() else { unreachable!("two names were given") };
    let _polling = world.router().poll_towards(server, Plane::Ours)?;
    server.namespace().batch("address add 192.0.2.1/32 dev lo\n")?;
    world.router().namespace().batch("route add 192.0.2.1 via 10.0.1.2\n")?;
    client.namespace().batch("route add 192.0.2.1 via 10.0.2.1\n")?;
    let options = [MASSIVE, &["--local-address", "192.0.2.1"]].concat();
    let mut ours = programs.server(server, "server", &options)?;
    let client = Client::new(client, "192.0.2.1".parse()?, Family::V4)?;
    // Nobody else is heard.
    for socket in [&client.event, &client.general] {
        socket.connect((client.server, socket.local_addr()?.port()))?;
    }
    client.request(&[(MessageType::Sync, -4), (MessageType::DelayResp, -4)])?;
    client.sync()?;
    client.delay_req(7)?;
    ensure!(client.delay_resp()? == 7, "answered");
    let status = ours.terminate(PATIENCE)?;
    ensure!(status.success(), "the server ended with {status}\n{}", ours.tail());
    Ok(())
}

/// A client that is nothing but two sockets.
struct Client {
    server: IpAddr,
    event: UdpSocket,
    general: UdpSocket,
}

const IDENTITY: PortIdentity = PortIdentity { clock_identity: ClockIdentity([7; 8]), port_number: 1 };

impl Client {
    fn new(host: &Host, server: IpAddr, family: Family) -> Result<Self> {
        let address = host.address(Plane::Ours, family);
        let open = |port| -> Result<UdpSocket> {
            let socket = host.namespace().enter(|| Ok(UdpSocket::bind((address, port))?))?;
            socket.set_read_timeout(Some(Duration::from_secs(3)))?;
            Ok(socket)
        };
        Ok(Self { server, event: open(319)?, general: open(320)? })
    }

    fn request(&self, services: &[(MessageType, i8)]) -> Result<()> {
        let tlvs: Vec<Tlv<'_>> = services
            .iter()
            .map(|&(message_type, log_inter_message_period)| {
                let duration_field = 300;
                Tlv::RequestUnicast(RequestUnicast { message_type, log_inter_message_period, duration_field })
            })
            .collect();
        let body = Body::Signaling { target_port_identity: PortIdentity::WILDCARD };
        self.send(&self.general, 320, 1, body, &tlvs)
    }

    fn delay_req(&self, sequence_id: u16) -> Result<()> {
        self.send(&self.event, 319, sequence_id, Body::DelayReq { origin_timestamp: Timestamp::ZERO }, &[])
    }

    /// sequenceId and originTimestamp of the next Sync.
    fn sync(&self) -> Result<(u16, Timestamp)> {
        let mut octets = [0; 256];
        loop {
            let length = self.event.recv(&mut octets)?;
            let message = Message::parse(&octets[..length])?;
            if let Body::Sync { origin_timestamp } = message.body {
                ensure!(!message.header.flags.contains(Flags::TWO_STEP), "one-step");
                return Ok((message.header.sequence_id, origin_timestamp));
            }
        }
    }

    /// sequenceId of the next Delay_Resp.
    fn delay_resp(&self) -> Result<u16> {
        let mut octets = [0; 256];
        loop {
            let length = self.general.recv(&mut octets)?;
            let message = Message::parse(&octets[..length])?;
            if let Body::DelayResp { requesting_port_identity, .. } = message.body {
                ensure!(requesting_port_identity == IDENTITY, "it is ours");
                return Ok(message.header.sequence_id);
            }
        }
    }

    fn send(
        &self,
        socket: &UdpSocket,
        port: u16,
        sequence_id: u16,
        body: Body,
        tlvs: &[Tlv<'_>],
    ) -> Result<()> {
        let header = Header {
            flags: Flags::UNICAST,
            source_port_identity: IDENTITY,
            sequence_id,
            log_message_interval: 0x7f,
            ..Header::default()
        };
        let mut octets = [0; 256];
        let length = Message::new(header, body).emit_with_tlvs(tlvs, &mut octets)?;
        socket.send_to(&octets[..length], (self.server, port))?;
        Ok(())
    }
}
