//! One server as its client knows it: contracts, announced data, exchanges under way, and whether it serves.

mod silence;

pub(super) use silence::Silence;

use super::announced::Announced;
use super::contract::Contract;
use super::early::{Early, Unannounced};
use super::exchange::Exchanges;
use super::loss::Loss;
use super::recovery::Recovery;
use super::variation::Variation;
use crate::engine::Instant;
use crate::engine::config::{LocalTimescale, ServerEntry, Standby};
use crate::engine::event::Reason;
use crate::engine::timers::TimerTable;
use ptp_common::time::{Interval, Timestamp};
use ptp_common::wire::{MessageType, PortIdentity};
use silence::Heard;

/// What an association waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// A request, a CANCEL, or the end of a grant, is due.
    Negotiation,
    /// It is time to look at the state of the negotiation.
    Check,
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
    const ALL: [Self; 7] = [
        Self::Negotiation,
        Self::Check,
        Self::Announce,
        Self::Sync,
        Self::DelayReq,
        Self::DelayResp,
        Self::Restore,
    ];
}

/// Whether a server can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// It can.
    Usable,
    /// Not yet; nothing is wrong.
    Negotiating,
    /// It announces itself and is asked for no more: a warm standby.
    Waiting,
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

pub(super) struct Association {
    /// Its own as long as the client lives, wherever it stands in the list.
    pub(super) id: u16,
    pub(super) entry: ServerEntry,
    pub(super) contracts: [Contract; 3],
    /// sourcePortIdentity, bound by the first GRANT and by the first after a loss.
    pub(super) identity: Option<PortIdentity>,
    pub(super) announced: Option<Announced>,
    /// It serves, or served, the PTP timescale.
    pub(super) ptp_timescale_known: bool,
    pub(super) exchanges: Exchanges,
    /// What its packets tell of our clock.
    pub(super) recovery: Option<Recovery>,
    pub(super) timers: TimerTable<{ Timer::ALL.len() }>,
    pub(super) signaling_sequence_id: u16,
    pub(super) last_delay_req: Option<Instant>,
    /// Sync and Announce that get lost.
    pub(super) loss_from_server: Loss,
    /// Delay_Req or their answers that get lost.
    pub(super) loss_round_trip: Loss,
    announces: Heard,
    syncs: Heard,
    /// Delay_Req since the last answer.
    unanswered: u32,
    /// sequenceId of the last Delay_Req that was answered.
    last_answered: Option<u16>,
    /// Offset and path delay of the last exchange, ns.
    pub(super) measured: Option<(f64, f64)>,
    /// What the local clock read when the Sync of that one came in.
    pub(super) ingress: Option<Timestamp>,
    /// How much its delays vary.
    pub(super) variation: Variation,
    pub(super) complete: u64,
    /// What came before the GRANT that it follows.
    pub(super) early: Early,
    /// What came before the first Announce.
    pub(super) unannounced: Unannounced,
    /// Why it was lost; `None` while it serves and before it ever did.
    loss: Option<Reason>,
    /// Since when its time disagrees with that of the majority.
    pub(super) suspected: Option<Instant>,
    /// Why it must not be followed although it serves.
    fault: Option<Reason>,
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
    pub(super) fn new(now: Instant, id: u16, entry: ServerEntry, standby: Standby) -> Self {
        let types = [MessageType::Announce, MessageType::Sync, MessageType::DelayResp];
        let wanted = |message_type| standby == Standby::Hot || message_type == MessageType::Announce;
        let mut timers = TimerTable::default();
        timers.set(Timer::Negotiation as usize, now);
        timers.set(Timer::Check as usize, now);
        Self {
            id,
            entry,
            contracts: types.map(|message_type| Contract::new(now, message_type, wanted(message_type))),
            identity: None,
            announced: None,
            ptp_timescale_known: false,
            exchanges: Exchanges::default(),
            recovery: None,
            timers,
            signaling_sequence_id: 0,
            last_delay_req: None,
            loss_from_server: Loss::default(),
            loss_round_trip: Loss::default(),
            announces: Heard::new(now),
            syncs: Heard::new(now),
            unanswered: 0,
            last_answered: None,
            measured: None,
            ingress: None,
            variation: Variation::default(),
            complete: 0,
            early: Early::new(),
            unannounced: Unannounced::new(),
            loss: None,
            suspected: None,
            fault: None,
            proven: false,
            served: false,
            restored: false,
            reported: Condition::Negotiating,
        }
    }

    pub(super) fn contract(&mut self, message_type: MessageType) -> Option<&mut Contract> {
        self.contracts.iter_mut().find(|contract| contract.message_type() == message_type)
    }

    /// Stamps so far go with none that follow.
    pub(super) fn void(&mut self) {
        self.exchanges.void();
        self.unannounced.clear();
    }

    /// It was asked for this, and has not answered.
    pub(super) fn awaits(&self, message_type: MessageType) -> bool {
        self.contracts
            .iter()
            .any(|contract| contract.message_type() == message_type && contract.is_requested())
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
        let next = self.contracts.iter().filter_map(Contract::deadline).min();
        self.set_timer(Timer::Negotiation, next);
    }

    /// All contracts are asked for again: the server may have forgotten us.
    pub(super) fn doubt(&mut self, now: Instant) {
        for contract in &mut self.contracts {
            contract.doubt(now);
        }
        self.schedule_negotiation();
    }

    /// The server does not serve any more.
    pub(super) fn lose(&mut self, now: Instant, reason: Reason) {
        self.doubt(now);
        if self.loss.is_some() {
            return;
        }
        self.loss = Some(reason);
        if reason == Reason::AnnounceTimeout {
            self.announced = None;
        }
        self.stop_measuring();
        self.set_timer(Timer::Announce, None);
        self.set_timer(Timer::Restore, None);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.loss.is_some()
    }

    /// It serves, and still it must not be followed.
    pub(super) fn is_refused(&self, surroundings: &Surroundings) -> bool {
        let Some(announced) = self.announced.as_ref().filter(|_| self.loss.is_none()) else {
            return false;
        };
        announced.refused.is_some() || self.fault.is_some() || self.local_to_server(surroundings).is_err()
    }

    /// It has to prove anew that it serves.
    pub(super) fn stop_measuring(&mut self) {
        self.proven = false;
        self.unanswered = 0;
        self.void();
        for timer in [Timer::Sync, Timer::DelayReq, Timer::DelayResp] {
            self.set_timer(timer, None);
        }
    }

    /// A warm standby that was lost announces itself again. Whether it was one that had served.
    pub(super) fn reappear(&mut self) -> bool {
        let returned = self.loss.take().is_some() && self.served;
        self.restored |= returned;
        returned
    }

    /// Sync and Delay_Resp are wanted, or Announce only.
    pub(super) fn want_all(&mut self, now: Instant, all: bool) {
        for contract in &mut self.contracts {
            contract.want(now, all || contract.message_type() == MessageType::Announce);
        }
        if !all {
            self.stop_measuring();
        }
        self.schedule_negotiation();
    }

    pub(super) fn wants_all(&self) -> bool {
        self.contracts.iter().all(Contract::is_wanted)
    }

    /// It must not be followed, or may be again. Whether that is new.
    pub(super) fn set_fault(&mut self, fault: Option<Reason>) -> bool {
        let before = std::mem::replace(&mut self.fault, fault);
        self.restored |= before.is_some() && fault.is_none();
        before != fault
    }

    pub(super) fn fault(&self) -> Option<Reason> {
        self.fault
    }

    /// A server that serves in part serves nothing: what it grants beside what it denies is given up, and all is asked
    /// for again together. Whether there was something.
    pub(super) fn give_up_in_part(&mut self, now: Instant) -> bool {
        let hopeless = self.contracts.iter().filter(|contract| contract.is_hopeless());
        let next = hopeless.filter_map(Contract::next_request).min();
        if next.is_none() || !self.contracts.iter().any(|contract| contract.grant().is_some()) {
            return false;
        }
        for contract in &mut self.contracts {
            contract.give_up_until(now, next);
        }
        self.stop_measuring();
        self.schedule_negotiation();
        true
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
        let wanted = self.contracts.iter().filter(|contract| contract.is_wanted());
        let mut missing = wanted.filter(|contract| contract.grant().is_none()).peekable();
        if missing.peek().is_some() {
            return missing.find_map(Contract::problem).map_or(Condition::Negotiating, Condition::Unusable);
        }
        let Some(announced) = &self.announced else {
            return Condition::Negotiating;
        };
        if let Some(reason) = announced.refused {
            return Condition::Unusable(reason);
        }
        if let Err(reason) = self.local_to_server(surroundings) {
            return Condition::Unusable(reason);
        }
        match self.fault {
            _ if !self.wants_all() => Condition::Waiting,
            Some(reason) => Condition::Unusable(reason),
            None if self.proven => Condition::Usable,
            None => Condition::Negotiating,
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
}
