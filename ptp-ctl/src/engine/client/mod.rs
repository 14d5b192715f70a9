//! The client: negotiates with every server, measures all of them, follows one.

mod announced;
mod association;
mod bridge;
mod compare;
mod contract;
mod early;
mod exchange;
mod follow;
mod holdover;
mod known;
mod loss;
mod management;
mod negotiate;
mod receive;
mod record;
mod recovery;
mod servers;
mod status;
mod upstream;
mod variation;

pub use known::{AnnouncedTime, KnownTime};

pub(in crate::engine) use receive::targets;
pub use record::{Record, Stamps};
pub use status::{
    AnnounceStatus, ContractStatus, ContractsStatus, GrantStatus, GrantsStatus, Sample, ServerStatus, State,
    Status,
};

pub(in crate::engine) use upstream::Parent;

use super::config::ClientConfig;
use super::counters::counters;
use super::event::{Event, Kind, Reason};
use super::servo::{self, Servo};
use super::timeline::Timeline;
use super::timers::interval;
use super::{Engine, Input, Instant, MessageCounts, Output, Packet, TxToken};
use association::{Association, Silence, Surroundings, Timer};
use bridge::Bridge;
use early::Arrival;
use holdover::Reference;
use ptp_common::net::Channel;
use ptp_common::time::{Interval, Timestamp};
use ptp_common::wire::{Body, Message, MessageType, ParseError, Tlv};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// Most servers that a client can have.
pub const MAX_SERVERS: usize = 16;
/// Stamps of packets that were on their way to us while the clock was stepped may be of either side of the step.
const STEP_GUARD: Duration = Duration::from_millis(20);

counters! {
    /// What became of a packet.
    enum Count / Counts {
        /// An Announce was used.
        Announce = "announce",
        /// A Sync was used.
        Sync = "sync",
        /// A Follow_Up was used.
        FollowUp = "follow_up",
        /// A Delay_Resp was used.
        DelayResp = "delay_resp",
        /// A Signaling message was used.
        Signaling = "signaling",
        /// From an address that is no server of ours.
        UnknownSource = "unknown_source",
        /// domainNumber is not ours.
        WrongDomain = "wrong_domain",
        /// sdoId is not ours.
        WrongSdoId = "wrong_sdo_id",
        /// An event message on the general port, or the other way round.
        WrongPort = "wrong_port",
        /// sourcePortIdentity is not the one that granted.
        WrongSourceIdentity = "wrong_source_identity",
        /// targetPortIdentity is neither ours nor a wildcard.
        WrongTarget = "wrong_target",
        /// requestingPortIdentity is not ours.
        WrongRequester = "wrong_requester",
        /// A message type that a client does not take.
        NotForClient = "not_for_client",
        /// Asked for, but not granted yet: used if the GRANT comes soon.
        BeforeGrant = "before_grant",
        /// Nothing of the kind was granted or asked for.
        Unasked = "unasked",
        /// The same message again.
        Duplicate = "duplicate",
        /// A sequenceId under which nothing is open.
        UnknownSequence = "unknown_sequence",
        /// A Sync without RX stamp.
        NoRxStamp = "no_rx_stamp",
        /// A Delay_Req whose TX stamp was lost.
        NoTxStamp = "no_tx_stamp",
        /// Stamped before or while the clock was stepped.
        AroundStep = "around_step",
        /// correctionField says that the correction is unknown.
        NoCorrection = "no_correction",
    }
}

/// A PTP client without IO.
pub struct Client {
    config: ClientConfig,
    /// The servers of the settings, in their order, and behind them those that were taken out.
    associations: Vec<Association>,
    /// How many of them the settings name.
    configured: usize,
    /// Of the server that was added last.
    last_id: u16,
    servo: Option<Box<dyn Servo + Send>>,
    timeline: Timeline,
    selected: Option<usize>,
    /// How often the server in use found a time to follow.
    beginnings: u32,
    /// The server that steered the clock last.
    reference: Option<Reference>,
    /// When the clock is steered next without a server.
    holdover_at: Option<Instant>,
    /// Of two servers nobody can say which one is right.
    disagree: bool,
    /// From the time of the server before to that of the one in use.
    bridge: Bridge,
    state: State,
    /// As the driver told it; the outer `None`: it has not.
    kernel_tai_offset: Option<Option<i16>>,
    /// ptpTimescale of the server last followed.
    followed_timescale: Option<bool>,
    /// Raised when stamps taken so far lose their meaning.
    generation: u16,
    /// Event messages received until then are not used.
    guard_until: Instant,
    outputs: VecDeque<Output>,
    counts: Counts,
    malformed: [u64; ParseError::COUNT],
    messages: MessageCounts,
    random: fastrand::Rng,
    closed: bool,
}

impl Client {
    /// A client that starts to negotiate at once, with the first [`MAX_SERVERS`] of its servers.
    pub fn new(now: Instant, config: ClientConfig) -> Self {
        let mut client = Self {
            associations: Vec::new(),
            configured: 0,
            last_id: 0,
            servo: config.servo.map(servo::new),
            timeline: Timeline::new(config.servo.map_or(0.0, |servo| servo.initial_frequency_ppb)),
            selected: None,
            reference: None,
            beginnings: 0,
            holdover_at: None,
            disagree: false,
            bridge: Bridge::new(now, config.switch_slew_ppb),
            state: State::default(),
            kernel_tai_offset: None,
            followed_timescale: None,
            generation: 0,
            guard_until: now,
            outputs: VecDeque::with_capacity(64),
            counts: Counts::default(),
            malformed: [0; ParseError::COUNT],
            messages: MessageCounts::default(),
            random: fastrand::Rng::with_seed(config.port.seed),
            closed: false,
            config,
        };
        client.take_list(now);
        client
    }

    /// Packets by what became of them: name and count, in a fixed order.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let malformed = ParseError::ALL.map(|error| (error.name(), self.malformed[error.index()]));
        self.counts.iter().chain(malformed)
    }

    fn frequency_ppb(&self) -> f64 {
        self.servo.as_ref().map_or(0.0, |servo| servo.frequency_ppb())
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            local_timescale: self.config.port.local_timescale,
            kernel_tai_offset: self.kernel_tai_offset.flatten(),
            ptp_timescale_known: self.servers().iter().any(|server| server.ptp_timescale_known),
        }
    }

    fn event(&mut self, peer: Option<IpAddr>, kind: Kind, reason: Option<Reason>, detail: Option<String>) {
        self.outputs.push_back(Output::Event(Event { kind, peer, reason, detail }));
    }

    fn send(
        &mut self,
        to: IpAddr,
        channel: Channel,
        message: &Message<'_>,
        tlvs: &[Tlv<'_>],
        token: Option<TxToken>,
    ) {
        let origin = token.is_some().then_some(Interval::ZERO);
        let packet = Packet::new(message, tlvs).expect("a client's own messages fit into a packet");
        self.outputs.push_back(Output::Send { to, channel, packet, token, origin });
    }

    /// Intervals of silence that begin to mean something.
    fn least_silence(&self, message_type: MessageType) -> u8 {
        match message_type {
            MessageType::Announce => self.config.announce_receipt_timeout,
            _ => self.config.sync_receipt_timeout,
        }
    }

    /// Waits for the next message of a type, the last of which had this number.
    fn await_next(
        &mut self,
        now: Instant,
        index: usize,
        message_type: MessageType,
        sequence_id: Option<u16>,
    ) {
        let least = self.least_silence(message_type);
        self.associations[index].hear(now, message_type, sequence_id, least);
    }

    /// A Sync came in: when to send the Delay_Req that completes the exchange.
    ///
    /// Not at once, but somewhere half way to the next Sync. An immediate answer finds a path that the Sync has just woken up,
    /// from the caches of the sender to the power states of every CPU on the way, and is faster than the Sync was:
    /// on virtual machines by more than 10 µs, half of which would go into the offset. Only the first one is sent at
    /// once.
    fn schedule_delay_req(&mut self, now: Instant, index: usize) {
        let jitter = self.random.f64();
        let association = &mut self.associations[index];
        let granted = |message_type| association.log_interval(message_type).map(interval);
        let (Some(sync), Some(delay_resp)) = (granted(MessageType::Sync), granted(MessageType::DelayResp))
        else {
            return;
        };
        let at = if association.is_proven() { now + sync.mul_f64(0.3 + 0.4 * jitter) } else { now };
        // Where Sync comes more often than Delay_Resp is granted, most of them get no Delay_Req.
        let allowed = association.last_delay_req.is_none_or(|last| last + delay_resp.mul_f64(0.5) <= at);
        if allowed && !association.has_timer(Timer::DelayReq) {
            association.set_timer(Timer::DelayReq, at);
        }
    }

    fn send_delay_req(&mut self, now: Instant, index: usize) {
        let least = self.least_silence(MessageType::DelayResp);
        let association = &mut self.associations[index];
        let Some(sequence_id) = association.exchanges.delay_req(now) else {
            return;
        };
        association.ask_delay(now, least);
        let to = association.entry.address;
        let token = TxToken(
            u64::from(self.generation) << 32 | u64::from(association.id) << 16 | u64::from(sequence_id),
        );
        let message = Message::new(
            self.config.port.header(sequence_id),
            Body::DelayReq { origin_timestamp: Timestamp::ZERO },
        );
        self.send(to, Channel::Event, &message, &[], Some(token));
    }

    fn sent(&mut self, now: Instant, token: TxToken, tx: Option<Timestamp>) {
        let TxToken(token) = token;
        let (generation, id, sequence_id) = ((token >> 32) as u16, (token >> 16) as u16, token as u16);
        if generation != self.generation {
            self.counts.count(Count::AroundStep);
            return;
        }
        match tx {
            Some(tx) => self.timeline.observe(now, tx),
            None => self.counts.count(Count::NoTxStamp),
        }
        let Some(index) = self.associations.iter().position(|association| association.id == id) else {
            return;
        };
        if let Ok(complete) = self.associations[index].exchanges.sent(sequence_id, tx) {
            self.finish(now, index, complete);
        }
    }

    /// Whatever the server does, nothing gets there.
    fn unreachable(&mut self, now: Instant, to: IpAddr) {
        let position = self.associations.iter().position(|association| association.entry.address == to);
        let association = position.and_then(|index| self.associations.get_mut(index));
        if let Some(association) = association.filter(|association| !association.is_lost()) {
            association.lose(now, Reason::RouteUnreach);
            self.reselect(now);
        }
    }

    /// Stamps taken so far cannot be compared with those to come.
    fn void_exchanges(&mut self, now: Instant) {
        self.generation = self.generation.wrapping_add(1);
        self.guard_until = now + STEP_GUARD;
        for association in &mut self.associations {
            association.void();
        }
    }

    /// A server that was free-running has a time to follow now: where it was followed, the clock may be stepped to that.
    fn begin_anew(&mut self, now: Instant, index: usize) {
        let association = &mut self.associations[index];
        association.void();
        association.recovery = None;
        let address = Some(association.entry.address);
        if self.selected != Some(index) {
            return;
        }
        self.bridge.begin(now, 0.0);
        if let Some(servo) = &mut self.servo {
            servo.restart();
        }
        self.beginnings = self.beginnings.wrapping_add(1);
        self.event(address, Kind::TimeJumped, None, Some("it is no longer free-running".to_owned()));
        // At once: a boundary clock passes on what it is now.
        self.update_state();
    }

    /// How often [`Self::begin_anew`] was there.
    pub(in crate::engine) const fn beginnings(&self) -> u32 {
        self.beginnings
    }

    /// The local clock's readings have changed their meaning in a way that nobody knows.
    fn forget_estimates(&mut self) {
        for association in &mut self.associations {
            association.recovery = None;
        }
    }

    fn fire(&mut self, now: Instant, index: usize, timer: Timer) {
        match timer {
            Timer::Negotiation => self.negotiate(now, index),
            Timer::Check => {
                self.check(now, index);
                if index == 0 {
                    self.compare(now);
                }
            }
            Timer::DelayReq => self.send_delay_req(now, index),
            Timer::Announce => self.judge_silence(now, index, MessageType::Announce),
            Timer::Sync => self.judge_silence(now, index, MessageType::Sync),
            Timer::DelayResp => self.judge_silence(now, index, MessageType::DelayResp),
            Timer::Restore => {}
        }
        if !self.closed {
            self.reselect(now);
        }
    }

    fn judge_silence(&mut self, now: Instant, index: usize, message_type: MessageType) {
        let least = self.least_silence(message_type);
        let association = &mut self.associations[index];
        match association.judge_silence(now, message_type, least) {
            Silence::Short => {}
            Silence::Doubtful => association.doubt(now),
            Silence::Loss(reason) => association.lose(now, reason),
        }
    }
}

impl Engine for Client {
    fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            // Once closed, too: acknowledgements of the last CANCEL.
            Input::Received { bytes, from, channel, rx } => {
                self.messages.count_received(bytes);
                self.received(now, bytes, from, channel, Arrival { at: now, rx });
            }
            _ if self.closed => {}
            Input::Sent { token, tx } => self.sent(now, token, tx),
            Input::Unreachable { to } => self.unreachable(now, to),
            Input::TaiOffset(seconds) => self.tai_offset(now, seconds),
            Input::Steered { at } => self.timeline.took_effect(at),
            Input::KernelClock(_) => {}
            Input::ClockDisturbed => {
                self.void_exchanges(now);
                self.forget_estimates();
                self.bridge.begin(now, 0.0);
                if let Some(servo) = &mut self.servo {
                    servo.restart();
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if !self.closed {
            self.hold_over(now);
        }
        for index in 0..self.associations.len() {
            while let Some(timer) = self.associations[index].pop_timer(now) {
                self.fire(now, index, timer);
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let timers = self.associations.iter().filter_map(|association| association.timers.next());
        timers.chain(self.holdover_at).min()
    }

    fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        self.messages.count_sent(output.as_ref());
        output
    }

    fn is_finished(&self) -> bool {
        self.closed && !self.is_cancelling()
    }
}

#[cfg(test)]
mod tests;
