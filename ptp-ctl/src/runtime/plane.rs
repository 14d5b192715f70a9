//! The XDP data plane as the loop uses it: what it refuses is counted and said once, never fatal.

use super::attach_mode;
use super::interfaces;
use super::serving::{self, ServedClock};
use super::watch::watch;
use crate::clock::Clock;
use crate::config::{self, Common, DEFAULT_BPFFS, ServerSettings};
use crate::dataplane::{DataPlane, DataPlaneError, Grant, Options, ReceivedEvent, probe};
use crate::engine::server::Templates;
use crate::engine::{Instant, MessageCounts, Packet};
use crate::net::{driver, interface_mac};
use crate::report::CounterSet;
use anyhow::Context;
use ptp_common::abi::ServedTime;
use ptp_common::wire::{MessageType, PortIdentity};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use tokio::io::unix::AsyncFd;

/// Records taken in one go, so that the ring does not starve the sockets.
const BATCH: usize = 256;
/// Of stamps that nobody is answered with.
const UNKNOWN: ServedTime = ServedTime { reference_ns: 0, offset_ns: 0, rate: 0 };
/// Messages in a second whose loss is no accident.
const WORTH_A_LOOK: u64 = 10;
/// The driver of virtual Ethernet: it loses what XDP sends, unless the other end polls (NAPI).
const VETH: &str = "veth";

/// The attached program, its maps and its ring.
pub(super) struct Plane {
    data_plane: DataPlane,
    ring: AsyncFd<OwnedFd>,
    /// Where it is, and which addresses are taken.
    common: Common,
    /// As the program was told them.
    local: Vec<IpAddr>,
    errors: u64,
    /// Of a server.
    server: Option<ServerSide>,
}

/// What a server's program is told again and again.
struct ServerSide {
    clock: ServedClock,
    dscp: u8,
    /// The program answers Delay_Req itself.
    answers: bool,
    /// t4 is the NIC's stamp, like the TX stamps of Sync.
    nic_stamp: bool,
    /// How long it answers without hearing from us, ns.
    max_unattended: u64,
    /// The data plane sends Sync and Announce.
    massive: bool,
    is_veth: bool,
    /// Messages that the data plane sent, and packets that left the interface, when it was last looked.
    sent: Option<(u64, u64)>,
    /// What was announced last.
    announce: Option<Packet>,
}

impl Plane {
    /// Attaches the program, or finds one that `attach` left, and tells it whose packets to take, from now on: the
    /// answer to the first request may come before the loop has turned once. `servers`: who sends Sync here.
    pub(super) fn open(
        common: &Common,
        role: &config::Role,
        servers: &[IpAddr],
        nic_stamps: bool,
        massive: bool,
        now: Instant,
    ) -> anyhow::Result<Self> {
        // Without `attach` no bpffs is needed. But who names one expects that it is looked at.
        if common.bpffs != Path::new(DEFAULT_BPFFS) {
            probe::check_bpffs(&common.bpffs)?;
        }
        let mut data_plane = DataPlane::open(&Options {
            interface: common.interface.clone(),
            also_interfaces: common.also_interfaces.clone(),
            mode: attach_mode(common.xdp_mode),
            bpffs: common.bpffs.clone(),
            nic_stamps,
            max_clients: match role {
                config::Role::Client(_) => 0,
                config::Role::Server(server) => server.policy.max_clients.try_into().unwrap_or(u32::MAX),
            },
        })?;
        let server = match role {
            config::Role::Client(_) => None,
            config::Role::Server(server) => Some(ServerSide::new(common, server, nic_stamps, massive)),
        };
        data_plane.set_servers(servers)?;
        let local = interfaces::addresses(common)?;
        data_plane.set_local(&local)?;
        data_plane.heartbeat(now.as_nanos())?;
        let ring = watch(data_plane.event_fd()).context("cannot watch the ring buffer")?;
        Ok(Self { data_plane, ring, common: common.clone(), local, errors: 0, server })
    }

    /// Waits for records. Cancel-safe; [`Plane::drain`] must have said that there are no more before the next call.
    pub(super) async fn ready(&self) -> anyhow::Result<()> {
        let mut guard = self.ring.readable().await.context("cannot wait for the ring buffer")?;
        guard.clear_ready();
        Ok(())
    }

    /// Hands over records of the ring. True if there may be more.
    pub(super) fn drain(&mut self, f: impl FnMut(ReceivedEvent<'_>)) -> bool {
        self.data_plane.drain(BATCH, f) == BATCH
    }

    /// The interface whose hook the program was taken off. What cannot be found out is taken for none.
    pub(super) fn taken_off(&self) -> Option<&str> {
        self.data_plane.taken_off().unwrap_or_else(|error| {
            tracing::debug!(%error, "the interfaces' XDP programs could not be asked for");
            None
        })
    }

    /// Who sends Sync here from now on.
    pub(super) fn set_servers(&mut self, servers: &[IpAddr]) {
        let told = self.data_plane.set_servers(servers);
        self.judge(told);
    }

    /// The program may take packets for another while.
    pub(super) fn heartbeat(&mut self, now: Instant) {
        let told = self.data_plane.heartbeat(now.as_nanos());
        self.judge(told);
    }

    /// Tells the program when the interfaces' addresses have changed.
    pub(super) fn refresh_addresses(&mut self) {
        match interfaces::addresses(&self.common) {
            Ok(addresses) if addresses != self.local => {
                let interfaces = self.common.interface_names();
                tracing::info!(?addresses, "addresses of {interfaces}");
                let told = self.data_plane.set_local(&addresses);
                if told.is_ok() {
                    self.local = addresses;
                }
                self.judge(told);
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the interfaces' addresses could not be read"),
        }
    }

    /// Tells a server's program what it answers, and by which clock.
    pub(super) fn serve(
        &mut self,
        now: Instant,
        templates: &Templates,
        clock: &dyn Clock,
        tai_offset: Option<i32>,
    ) {
        let Some(server) = &mut self.server else { return };
        let ahead = templates.local_to_served;
        let software = server.clock.software(clock, tai_offset.unwrap_or(0), ahead);
        let hardware = serving::hardware(clock, ahead);
        let answers = server.answers && (software.is_some() || hardware.is_some());
        let serving = serving::serving(
            templates,
            &self.local,
            server.dscp,
            answers,
            software.unwrap_or(UNKNOWN),
            hardware.unwrap_or(UNKNOWN),
        );
        let Some(serving) = serving else {
            tracing::debug!("a message of the server's is not as long as the XDP program takes it to be");
            return;
        };
        let changed = server.announce.replace(templates.announce) != Some(templates.announce);
        let told = self.data_plane.serve(&serving, now.as_nanos().saturating_add(server.max_unattended));
        if changed {
            // Another timescale, another quality: nobody is to take a Sync for what it was before.
            self.data_plane.announce_all();
        }
        self.judge(told);
    }

    /// Opens what the data plane needs to send Sync and Announce, if that is its part.
    pub(super) fn open_fan_out(&mut self) -> anyhow::Result<()> {
        if self.is_massive() {
            let Common { interface, local_addresses, .. } = &self.common;
            self.data_plane.open_fan_out(interface_mac(interface)?, local_addresses)?;
        }
        Ok(())
    }

    /// Lets it send them; what they say must have been told before. The real-time priority with which it does.
    pub(super) fn run_fan_out(&mut self) -> anyhow::Result<Option<u8>> {
        Ok(self.data_plane.run_fan_out()?)
    }

    /// The data plane sends Sync and Announce.
    pub(super) fn is_massive(&self) -> bool {
        self.server.as_ref().is_some_and(|server| server.massive)
    }

    /// The program answers Delay_Req itself.
    pub(super) fn answers(&self) -> bool {
        self.server.as_ref().is_some_and(|server| server.answers)
    }

    /// Messages that the program took and sent without us: Delay_Req that it answered, and what the massive plane sends.
    pub(super) fn messages(&self) -> MessageCounts {
        let answered = count(&self.data_plane.counters().unwrap_or_default(), "answered");
        let fan_out = self.data_plane.fan_out_counters().unwrap_or_default();
        let mut messages = MessageCounts::default();
        let index = |message_type: MessageType| usize::from(message_type.nibble());
        messages.received[index(MessageType::DelayReq)] = answered;
        messages.sent[index(MessageType::DelayResp)] = answered;
        messages.sent[index(MessageType::Sync)] = count(&fan_out, "sync_sent");
        messages.sent[index(MessageType::Announce)] = count(&fan_out, "announce_sent");
        messages
    }

    /// What the data plane still serves for a server that was killed.
    pub(super) fn clients(&self) -> impl Iterator<Item = (IpAddr, PortIdentity, Grant)> {
        self.data_plane
            .clients()
            .map(|(address, port_identity, grant)| (address, PortIdentity::from_bytes(port_identity), grant))
    }

    /// Follows the kernel's routes and neighbours, once a second.
    pub(super) fn refresh_routes(&mut self) {
        let told = self.data_plane.refresh_routes();
        self.judge(told);
        self.look_for_losses();
    }

    /// Does the other end of virtual Ethernet get what XDP sends?
    fn look_for_losses(&mut self) {
        let interface = &self.common.interface;
        let Some(ServerSide { massive: true, is_veth: true, sent, .. }) = &mut self.server else { return };
        let Ok(transmitted) = probe::transmitted(interface) else { return };
        let Ok(counters) = self.data_plane.fan_out_counters() else { return };
        let now = (count(&counters, "announce_sent") + count(&counters, "sync_sent"), transmitted);
        if sent.replace(now).is_some_and(|before| are_lost(before, now)) {
            tracing::warn!(
                "{interface} is virtual Ethernet, and its other end does not get Sync and Announce: give that an XDP \
                 program, `ptp-ctl attach PEER`"
            );
        }
    }

    /// Serves this client until then.
    pub(super) fn grant(
        &mut self,
        client: IpAddr,
        port_identity: PortIdentity,
        message_type: MessageType,
        log_interval: i8,
        expires: Instant,
    ) {
        let nic_stamp = self.server.as_ref().is_some_and(|server| server.nic_stamp);
        let grant = Grant { message_type, log_interval, expires: expires.as_nanos(), nic_stamp };
        let told = self.data_plane.grant(client, port_identity.to_bytes(), grant);
        self.judge(told);
    }

    /// Serves this client no more.
    pub(super) fn revoke(&mut self, client: IpAddr, port_identity: PortIdentity, message_type: MessageType) {
        let told = self.data_plane.revoke(client, port_identity.to_bytes(), message_type);
        self.judge(told);
    }

    /// The program's counters, those of the fan-out, and those of the ring's records.
    pub(super) fn counters(&self) -> (CounterSet, CounterSet, CounterSet) {
        let program = match self.data_plane.counters() {
            Ok(counters) => counters.into_iter().collect(),
            Err(error) => {
                tracing::debug!(%error, "the program's counters could not be read");
                CounterSet::default()
            }
        };
        let fan_out = self.data_plane.fan_out_counters().unwrap_or_default().into_iter().collect();
        let map_errors = ("map_errors", self.errors);
        (
            program,
            fan_out,
            self.data_plane.record_counters().named().into_iter().chain([map_errors]).collect(),
        )
    }

    fn judge(&mut self, told: Result<(), DataPlaneError>) {
        if let Err(error) = told {
            if self.errors == 0 {
                tracing::error!("the XDP program was not told: {:#}", anyhow::Error::from(error));
            }
            self.errors += 1;
        }
    }
}

fn count(counters: &[(&str, u64)], wanted: &str) -> u64 {
    counters.iter().find(|(name, _)| *name == wanted).map_or(0, |(_, count)| *count)
}

/// Far fewer packets have left the interface than messages were sent, from one look to the next.
fn are_lost(before: (u64, u64), now: (u64, u64)) -> bool {
    // Counters may begin anew.
    let (sent, left) = (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1));
    sent >= WORTH_A_LOOK && left < sent / 2
}

impl ServerSide {
    fn new(common: &Common, server: &ServerSettings, nic_stamps: bool, massive: bool) -> Self {
        // The other end of virtual Ethernet loses what XDP sends, unless it has an XDP program itself. Who asks for the
        // massive plane has seen to that.
        let is_veth =
            common.interfaces().any(|interface| driver(interface).is_ok_and(|driver| driver == VETH));
        let served_as_it_is = matches!(common.clock, config::Clock::System | config::Clock::None);
        Self {
            clock: ServedClock::default(),
            dscp: common.dscp,
            answers: massive || !is_veth,
            // Without a TX stamp of the NIC on the one way, its RX stamp on the other would be no help.
            nic_stamp: nic_stamps && !massive,
            max_unattended: match served_as_it_is {
                true => u64::MAX,
                false => server.max_unattended.as_nanos().try_into().unwrap_or(u64::MAX),
            },
            massive,
            is_veth,
            sent: None,
            announce: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sent_can_be_lost() {
        for (before, now, lost) in [
            ((0, 0), (100, 100), false),
            ((100, 100), (200, 120), true),
            ((100, 100), (109, 100), false),
            // The counters begin anew.
            ((1_000, 1_000), (0, 1_100), false),
        ] {
            assert_eq!(are_lost(before, now), lost, "{before:?} {now:?}");
        }
    }
}
