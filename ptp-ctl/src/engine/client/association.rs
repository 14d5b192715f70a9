//! One server as its client knows it: contracts, announced data, exchanges under way, and whether it serves.

use super::contract::Contract;
use super::exchange::Exchanges;
use super::recovery::Recovery;
use super::status::{AnnounceStatus, GrantsStatus, ServerStatus};
use crate::engine::Instant;
use crate::engine::config::{LocalTimescale, ServerEntry};
use crate::engine::estimator::Estimate;
use crate::engine::event::Reason;
use crate::engine::path::PathSequence;
use crate::engine::timers::TimerTable;
use ptp_common::time::Interval;
use ptp_common::wire::{Announce, ClockIdentity, Flags, Message, MessageType, PortIdentity};

/// What an association waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// A request, or the end of a grant, is due.
    Negotiation,
    /// The next Announce is overdue.
    Announce,
    /// The next Sync is overdue.
    Sync,
    /// It is time for a Delay_Req.
    DelayReq,
    /// The answer to a Delay_Req is overdue.
    DelayResp,
    /// The wait-to-restore time is over.
    Restore,
}

impl Timer {
    const ALL: [Self; 6] =
        [Self::Negotiation, Self::Announce, Self::Sync, Self::DelayReq, Self::DelayResp, Self::Restore];
}

/// Whether a server can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// It can.
    Usable,
    /// Not yet; nothing is wrong.
    Negotiating,
    /// It cannot.
    Unusable(Reason),
}

/// What the client knows beyond one server, needed to judge it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings {
    /// Of the local clock.
    pub(super) local_timescale: LocalTimescale,
    /// TAI - UTC as the kernel knows it, s.
    pub(super) kernel_tai_offset: Option<i16>,
    /// One of the servers serves, or served, the PTP timescale.
    pub(super) ptp_timescale_known: bool,
}

/// What a server announces, as far as it concerns its client.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Announced {
    pub(super) announce: Announce,
    pub(super) flags: Flags,
    /// pathSequence; empty without PATH_TRACE.
    pub(super) path: PathSequence,
    /// Why nobody may follow it.
    pub(super) refused: Option<Reason>,
}

impl Announced {
    /// `announce` is the body of `message`; `own` is our clockIdentity.
    pub(super) fn new(
        message: &Message<'_>,
        announce: Announce,
        own: ClockIdentity,
        max_steps_removed: u16,
    ) -> Self {
        let path = PathSequence::of(message);
        // The time of somebody who follows us is our own (IEEE 1588-2019, 9.3.2.5 and 16.2.4).
        let refused = if announce.grandmaster_identity == own || path.contains(own) {
            Some(Reason::TimingLoop)
        } else if announce.steps_removed >= max_steps_removed {
            Some(Reason::StepsRemoved)
        } else {
            None
        };
        Self { announce, flags: message.header.flags, path, refused }
    }

    pub(super) fn ptp_timescale(&self) -> bool {
        self.flags.contains(Flags::PTP_TIMESCALE)
    }

    pub(super) fn current_utc_offset(&self) -> Option<i16> {
        self.flags.contains(Flags::CURRENT_UTC_OFFSET_VALID).then_some(self.announce.current_utc_offset)
    }
}

pub(super) struct Association {
    pub(super) entry: ServerEntry,
    pub(super) contracts: [Contract; 3],
    /// sourcePortIdentity, bound by the first GRANT and by the first after a loss.
    pub(super) identity: Option<PortIdentity>,
    pub(super) announced: Option<Announced>,
    pub(super) exchanges: Exchanges,
    /// What its packets tell of our clock.
    pub(super) recovery: Option<Recovery>,
    pub(super) timers: TimerTable<{ Timer::ALL.len() }>,
    pub(super) signaling_sequence_id: u16,
    pub(super) last_delay_req: Option<Instant>,
    /// Offset and path delay of the last exchange, ns.
    pub(super) measured: Option<(f64, f64)>,
    pub(super) complete: u64,
    /// Why it was lost; `None` while it serves and before it ever did.
    loss: Option<Reason>,
    /// An exchange was completed since the start or the last loss.
    proven: bool,
    /// It served once.
    served: bool,
    /// It was lost after it had served.
    restored: bool,
    /// As last reported by an event.
    pub(super) reported: Condition,
}

impl Association {
    pub(super) fn new(now: Instant, entry: ServerEntry) -> Self {
        let types = [MessageType::Announce, MessageType::Sync, MessageType::DelayResp];
        let mut timers = TimerTable::default();
        timers.set(Timer::Negotiation as usize, now);
        Self {
            entry,
            contracts: types.map(|message_type| Contract::new(now, message_type)),
            identity: None,
            announced: None,
            exchanges: Exchanges::default(),
            recovery: None,
            timers,
            signaling_sequence_id: 0,
            last_delay_req: None,
            measured: None,
            complete: 0,
            loss: None,
            proven: false,
            served: false,
            restored: false,
            reported: Condition::Negotiating,
        }
    }

    pub(super) fn contract(&mut self, message_type: MessageType) -> Option<&mut Contract> {
        self.contracts.iter_mut().find(|contract| contract.message_type() == message_type)
    }

    pub(super) fn is_granted(&self, message_type: MessageType) -> bool {
        self.log_interval(message_type).is_some()
    }

    /// logInterMessagePeriod of the grant in force.
    pub(super) fn log_interval(&self, message_type: MessageType) -> Option<i8> {
        let contract = self.contracts.iter().find(|contract| contract.message_type() == message_type)?;
        contract.grant().map(|grant| grant.log_interval)
    }

    pub(super) fn set_timer(&mut self, timer: Timer, at: impl Into<Option<Instant>>) {
        self.timers.set(timer as usize, at);
    }

    pub(super) fn has_timer(&self, timer: Timer) -> bool {
        self.timers.get(timer as usize).is_some()
    }

    pub(super) fn pop_timer(&mut self, now: Instant) -> Option<Timer> {
        self.timers.pop(now).map(|index| Timer::ALL[index])
    }

    /// Arms the negotiation timer for whatever the contracts wait for.
    pub(super) fn schedule_negotiation(&mut self) {
        let next = self.contracts.iter().map(Contract::deadline).min();
        self.set_timer(Timer::Negotiation, next);
    }

    /// The server does not serve any more. All contracts are asked for again at once: it may have forgotten us.
    pub(super) fn lose(&mut self, now: Instant, reason: Reason) {
        if self.loss.is_some() {
            return;
        }
        self.loss = Some(reason);
        self.proven = false;
        self.exchanges.void();
        if reason == Reason::AnnounceTimeout {
            self.announced = None;
        }
        for timer in [Timer::Announce, Timer::Sync, Timer::DelayReq, Timer::DelayResp, Timer::Restore] {
            self.set_timer(timer, None);
        }
        for contract in &mut self.contracts {
            contract.doubt(now);
        }
        self.schedule_negotiation();
    }

    /// The sourcePortIdentity may change: nothing is served under the old one.
    pub(super) fn may_rebind(&self) -> bool {
        self.loss.is_some() || !self.contracts.iter().any(|contract| contract.grant().is_some())
    }

    /// An exchange was completed. If that ends a loss, whether it was one (and not the start).
    pub(super) fn prove(&mut self) -> bool {
        self.proven = true;
        let returned = self.announced.is_some() && self.loss.take().is_some() && self.served;
        self.restored |= returned;
        returned
    }

    /// It can be followed from here on.
    pub(super) fn mark_served(&mut self) {
        self.served = true;
    }

    /// It was lost once, and came back.
    pub(super) fn was_restored(&self) -> bool {
        self.restored
    }

    /// An exchange was completed since the start or the last loss.
    pub(super) fn is_proven(&self) -> bool {
        self.proven
    }

    /// The wait-to-restore time has not passed.
    pub(super) fn is_restoring(&self) -> bool {
        self.has_timer(Timer::Restore)
    }

    pub(super) fn condition(&self, surroundings: &Surroundings) -> Condition {
        if let Some(reason) = self.loss {
            return Condition::Unusable(reason);
        }
        if self.contracts.iter().any(|contract| contract.grant().is_none()) {
            let reason =
                self.contracts.iter().find_map(|contract| contract.denial().or_else(|| contract.silence()));
            return reason.map_or(Condition::Negotiating, Condition::Unusable);
        }
        match &self.announced {
            None => Condition::Negotiating,
            Some(Announced { refused: Some(reason), .. }) => Condition::Unusable(*reason),
            Some(_) => match self.local_to_server(surroundings) {
                Err(reason) => Condition::Unusable(reason),
                Ok(_) if self.proven => Condition::Usable,
                Ok(_) => Condition::Negotiating,
            },
        }
    }

    /// What brings a reading of the local clock into this server's timescale.
    ///
    /// An arbitrary timescale is taken as it is: its offset to UTC or TAI is nobody's business.
    pub(super) fn local_to_server(&self, surroundings: &Surroundings) -> Result<Interval, Reason> {
        let ptp_timescale = self.announced.as_ref().is_some_and(Announced::ptp_timescale);
        if !ptp_timescale {
            return if surroundings.ptp_timescale_known {
                Err(Reason::ArbitraryTimescale)
            } else {
                Ok(Interval::ZERO)
            };
        }
        match surroundings.local_timescale {
            LocalTimescale::Tai => Ok(Interval::ZERO),
            LocalTimescale::Utc => {
                let announced = self.announced.as_ref().and_then(Announced::current_utc_offset);
                let seconds = announced.or(surroundings.kernel_tai_offset).ok_or(Reason::UtcOffsetUnknown)?;
                Ok(Interval::from_secs(seconds.into()))
            }
        }
    }

    pub(super) fn status(
        &self,
        now: Instant,
        surroundings: &Surroundings,
        selected: bool,
        estimate: Option<Estimate>,
    ) -> ServerStatus {
        let condition = self.condition(surroundings);
        let (state, reason) = match condition {
            Condition::Usable if selected => ("selected", None),
            Condition::Usable if self.is_restoring() => ("restoring", None),
            Condition::Usable => ("standby", None),
            Condition::Negotiating => ("negotiating", None),
            Condition::Unusable(reason) => ("unusable", Some(reason)),
        };
        let [announce, sync, delay_resp] = &self.contracts;
        ServerStatus {
            address: self.entry.address,
            priority: self.entry.local_priority,
            state,
            reason,
            port_identity: self.identity.map(|identity| identity.to_string()),
            announce: self.announced.as_ref().map(announce_status),
            offset_ns: self.measured.map(|(offset, _)| offset),
            path_delay_ns: self.measured.map(|(_, delay)| delay),
            estimated_offset_ns: estimate.map(|estimate| estimate.offset_ns),
            bound_ns: estimate.map(|estimate| estimate.bound_ns),
            exchanges: self.complete,
            exchanges_lost: self.exchanges.lost(),
            grants: GrantsStatus {
                announce: announce.status(now),
                sync: sync.status(now),
                delay_resp: delay_resp.status(now),
            },
        }
    }
}

fn announce_status(announced: &Announced) -> AnnounceStatus {
    let announce = &announced.announce;
    AnnounceStatus {
        grandmaster_identity: announce.grandmaster_identity.to_string(),
        clock_class: announce.grandmaster_clock_quality.clock_class,
        clock_accuracy: announce.grandmaster_clock_quality.clock_accuracy,
        priority1: announce.grandmaster_priority1,
        priority2: announce.grandmaster_priority2,
        steps_removed: announce.steps_removed,
        time_source: announce.time_source,
        ptp_timescale: announced.ptp_timescale(),
        current_utc_offset: announced.current_utc_offset(),
    }
}
