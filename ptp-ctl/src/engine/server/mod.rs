//! The server: grants, sends what it granted, and stops when the duration is over.

mod clients;
mod data_set;
mod management;
mod negotiate;
mod policy;
mod prefix;
mod query;
mod receive;
mod recent;
mod send;
mod status;
mod templates;

pub use data_set::Standing;
pub(in crate::engine) use data_set::Upstream;
pub use prefix::{Prefix, PrefixError};
pub use query::{Found, Search, Wanted};
pub use status::{Announced, ClientStatus, MOST_LISTED, Status, Totals};
pub use templates::Templates;

use super::config::ServerConfig;
use super::counters::counters;
use super::event::{Event, Kind, Reason};
use super::{Engine, Input, Instant, KernelClock, MessageCounts, Output};
use arrayvec::ArrayVec;
use clients::{Client, ClientId, Clients, Due, Service};
use policy::Promises;
use ptp_common::time::{Interval, Timestamp};
use ptp_common::wire::{CancelUnicast, MessageType, ParseError, PortIdentity, Tlv};
use recent::Recent;
use std::collections::VecDeque;
use std::net::IpAddr;

counters! {
    /// What became of a packet.
    enum Count / Counts {
        /// A Delay_Req was answered.
        DelayReq = "delay_req",
        /// A Signaling message was acted on.
        Signaling = "signaling",
        /// domainNumber is not ours.
        WrongDomain = "wrong_domain",
        /// sdoId is not ours.
        WrongSdoId = "wrong_sdo_id",
        /// An event message on the general port, or the other way round.
        WrongPort = "wrong_port",
        /// targetPortIdentity is neither ours nor a wildcard.
        WrongTarget = "wrong_target",
        /// A message type that a server does not take.
        NotForServer = "not_for_server",
        /// A Delay_Req from a client without a grant of Delay_Resp.
        NotGranted = "not_granted",
        /// The same, and the client was told.
        Reminded = "reminded",
        /// A request was denied.
        Denied = "denied",
        /// A Signaling message that was overtaken by a later one.
        Overtaken = "overtaken",
        /// A Delay_Req without RX stamp.
        NoRxStamp = "no_rx_stamp",
        /// A Signaling message without anything to act on.
        NothingToDo = "nothing_to_do",
        /// A Sync whose TX stamp was lost.
        NoTxStamp = "no_tx_stamp",
        /// A Sync that was stamped before the timescale changed.
        AroundChange = "around_change",
        /// An Announce was sent.
        AnnounceSent = "announce_sent",
        /// A Sync was sent.
        SyncSent = "sync_sent",
        /// A Follow_Up was sent.
        FollowUpSent = "follow_up_sent",
    }
}

/// What is done in one go: then packets have their turn, however many grants end at the same time.
const MOST_AT_ONCE: usize = 512;

/// A PTP server without IO.
pub struct Server {
    config: ServerConfig,
    clients: Clients,
    /// TAI - UTC as the kernel knows it, s.
    kernel_tai_offset: Option<i16>,
    /// The same was told.
    tai_offset_told: bool,
    /// Of a clock of which the kernel knows.
    kernel_clock: Option<KernelClock>,
    /// It was once as good as the primary reference makes it.
    settled: bool,
    /// Of a boundary clock.
    upstream: Option<Upstream>,
    /// Raised when the served timescale changes: a Sync of before gets no Follow_Up of after.
    generation: u8,
    signaling_sequence_id: u16,
    promises: Promises,
    recent: Recent,
    outputs: VecDeque<Output>,
    counts: Counts,
    malformed: [u64; ParseError::COUNT],
    messages: MessageCounts,
    closed: bool,
}

impl Server {
    /// A server that grants to whoever asks, within its limits.
    pub fn new(_now: Instant, config: ServerConfig) -> Self {
        Self {
            clients: Clients::new(config.port.seed, config.policy.max_clients),
            kernel_tai_offset: None,
            tai_offset_told: false,
            kernel_clock: None,
            settled: false,
            upstream: None,
            generation: 0,
            signaling_sequence_id: 0,
            promises: Promises::default(),
            recent: Recent::new(),
            outputs: VecDeque::with_capacity(64),
            counts: Counts::default(),
            malformed: [0; ParseError::COUNT],
            messages: MessageCounts::default(),
            closed: false,
            config,
        }
    }

    /// Other settings. What is granted stays so until it ends; identity, the kind of Sync and the number of clients must be what
    /// they were.
    pub fn reconfigure(&mut self, config: ServerConfig) {
        self.config = config;
    }

    /// Leaves Sync and Announce to the data plane, which sends them by [`Output::Grant`] until [`Output::Revoke`].
    pub fn leave_sending(&mut self) {
        self.clients.sends = false;
    }

    /// Takes over a grant of a server that ran before, in this one's place: the data plane serves it still.
    pub fn adopt(
        &mut self,
        now: Instant,
        client: IpAddr,
        port_identity: PortIdentity,
        message_type: MessageType,
        log_interval: i8,
        expires: Instant,
    ) {
        let Some(service) = Service::of(message_type) else { return };
        let left = expires.since(now).as_secs().try_into().unwrap_or(u32::MAX);
        if left > 0 {
            let key = (client, port_identity);
            let before = self.clients.find(key).and_then(|id| self.clients.get(id)?.log_interval(service));
            self.promise(service, before, Some(log_interval));
            self.clients.grant(now, key, service, log_interval, left);
        }
    }

    /// Cancels every grant; the outputs that follow are the last.
    pub fn shutdown(&mut self, _now: Instant) {
        self.closed = true;
    }

    /// The end of one client's grants, once the server is closed.
    fn dismiss_one(&mut self) {
        let Some(client) = self.clients.take_any() else { return };
        let (address, port_identity) = client.key;
        let cancels: ArrayVec<_, 3> = client.granted_types().map(cancel).collect();
        self.send_signaling(address, port_identity, &cancels);
        for message_type in client.granted_types() {
            self.outputs.push_back(Output::Revoke { client: address, port_identity, message_type });
        }
    }

    /// For the reports.
    pub fn status(&self, now: Instant) -> Status {
        Status {
            ptp_timescale: self.serves_ptp_timescale(),
            current_utc_offset: self.current_utc_offset(),
            standing: self.standing(),
            announced: self.announced(),
            promised_rate: self.promised_rate(),
            totals: self.totals(),
            clients: self.listed().map(|client| client.status(now)).collect(),
        }
    }

    fn totals(&self) -> Totals {
        Totals {
            clients: self.clients.len(),
            announce: self.clients.granted(Service::Announce),
            sync: self.clients.granted(Service::Sync),
            delay_resp: self.clients.granted(Service::DelayResp),
        }
    }

    /// Everyone, unless they are too many for the `stats` document.
    fn listed(&self) -> impl Iterator<Item = &Client> {
        let few = self.clients.len() <= MOST_LISTED;
        few.then(|| self.clients.iter()).into_iter().flatten()
    }

    /// Our own sourcePortIdentity.
    pub(in crate::engine) const fn port_identity(&self) -> PortIdentity {
        self.config.port.port_identity
    }

    /// Packets by what became of them: name and count, in a fixed order.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let malformed = ParseError::ALL.map(|error| (error.name(), self.malformed[error.index()]));
        self.counts.iter().chain(malformed)
    }

    /// With UTC as local time and its distance from TAI unknown, what is served is an arbitrary timescale.
    fn serves_ptp_timescale(&self) -> bool {
        self.local_to_served().is_some()
    }

    fn served(&self, local: Timestamp) -> Timestamp {
        local + self.local_to_served().unwrap_or(Interval::ZERO)
    }

    fn event(&mut self, peer: IpAddr, kind: Kind, reason: Option<Reason>, detail: String) {
        self.outputs.push_back(Output::Event(Event { kind, peer: Some(peer), reason, detail: Some(detail) }));
    }

    fn perform(&mut self, due: Due) {
        match due {
            Due::Send { client, service, sequence_id, log_interval } => {
                let Some((address, _)) = self.clients.get(client).map(|client| client.key) else {
                    return;
                };
                match service {
                    Service::Announce => self.send_announce(address, sequence_id, log_interval),
                    Service::Sync => self.send_sync(address, client, sequence_id),
                    Service::DelayResp => {}
                }
            }
            Due::Expired { client, service } => {
                if let Some((address, port_identity)) = self.clients.get(client).map(|client| client.key) {
                    self.end(client, service);
                    let detail = format!("{} of {port_identity}", service.name());
                    self.event(address, Kind::Expired, Some(Reason::DurationOver), detail);
                }
            }
        }
    }

    /// Nothing of this service goes to the client any more.
    fn end(&mut self, client: ClientId, service: Service) {
        let Some(served) = self.clients.get(client) else {
            return;
        };
        let ((address, port_identity), log_interval) = (served.key, served.log_interval(service));
        self.promise(service, log_interval, None);
        self.clients.revoke(client, service);
        let message_type = service.message_type();
        self.outputs.push_back(Output::Revoke { client: address, port_identity, message_type });
    }

    fn tai_offset(&mut self, now: Instant, seconds: Option<i16>) {
        let first = !std::mem::replace(&mut self.tai_offset_told, true);
        if self.upstream.is_none() && seconds.is_none() && (first || self.kernel_tai_offset.is_some()) {
            let event = Event {
                kind: Kind::TaiOffset,
                peer: None,
                reason: Some(Reason::UtcOffsetUnknown),
                detail: Some("nobody has told the kernel: clients cannot tell TAI from UTC".to_owned()),
            };
            self.outputs.push_back(Output::Event(event));
        }
        if self.kernel_tai_offset != seconds {
            self.kernel_tai_offset = seconds;
            self.change_timescale(now);
        }
    }

    /// The served timescale may be another one: every client must hear of that before the next Sync, or it would see
    /// its clock wrong by the offset.
    fn change_timescale(&mut self, now: Instant) {
        self.generation = self.generation.wrapping_add(1);
        self.clients.hasten_announce();
        while let Some(due) = self.clients.pop(now) {
            self.perform(due);
        }
    }
}

impl Engine for Server {
    fn handle(&mut self, now: Instant, input: Input<'_>) {
        if self.closed {
            return;
        }
        match input {
            Input::Received { bytes, from, channel, rx } => {
                self.messages.count_received(bytes);
                self.received(now, bytes, from, channel, rx);
            }
            Input::Sent { token, tx } => self.sent(token, tx),
            Input::TaiOffset(seconds) => self.tai_offset(now, seconds),
            Input::Unreachable { .. } => {}
            // A server steers nothing.
            Input::Steered { .. } => {}
            Input::KernelClock(clock) => {
                self.kernel_clock = Some(clock);
                self.settled |= clock.synchronised;
            }
            Input::ClockDisturbed => self.clock_stepped(),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        for _ in 0..MOST_AT_ONCE {
            let Some(due) = self.clients.pop(now) else { return };
            self.perform(due);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.closed { None } else { self.clients.next_deadline() }
    }

    fn poll_output(&mut self) -> Option<Output> {
        if self.closed && self.outputs.is_empty() {
            self.dismiss_one();
        }
        let output = self.outputs.pop_front();
        self.messages.count_sent(output.as_ref());
        output
    }
}

/// Says that a service has ended.
fn cancel(message_type: MessageType) -> Tlv<'static> {
    Tlv::CancelUnicast(CancelUnicast { message_type, maintain_request: true, maintain_grant: false })
}

#[cfg(test)]
mod tests;
