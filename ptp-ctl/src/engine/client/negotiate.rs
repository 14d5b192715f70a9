//! Asking, asking again, and giving up.

use super::association::{Association, Condition, Timer};
use super::contract::Patience;
use super::{Client, MAX_SERVERS};
use crate::engine::Instant;
use crate::engine::config::{Retry, Standby};
use crate::engine::event::{Kind, Reason};
use crate::engine::select::{Candidate, Rank, choose};
use arrayvec::ArrayVec;
use ptp_common::net::Channel;
use ptp_common::wire::{Body, CancelUnicast, Message, MessageType, PortIdentity, RequestUnicast, Tlv};
use std::time::Duration;

/// Requests due within this time go out in one message.
const BUNDLE: Duration = Duration::from_millis(50);

impl Client {
    /// Cancels every grant. What follows are the last outputs, repeated until servers that are there acknowledge or
    /// [`is_finished`](crate::engine::Engine::is_finished) says so.
    pub fn shutdown(&mut self, now: Instant) {
        self.closed = true;
        self.holdover_at = None;
        for index in 0..self.associations.len() {
            let association = &mut self.associations[index];
            let silent = matches!(association.reported, Condition::Unusable(_));
            association.let_go(now);
            self.negotiate(now, index);
            if silent {
                // It may hear of it, but nobody waits for its answer.
                for contract in &mut self.associations[index].contracts {
                    contract.acknowledged();
                }
            }
            self.associations[index].schedule_negotiation();
        }
    }

    pub(super) fn send_signaling(&mut self, index: usize, tlvs: &[Tlv<'_>]) {
        if tlvs.is_empty() {
            return;
        }
        let association = &mut self.associations[index];
        let sequence_id = association.signaling_sequence_id;
        association.signaling_sequence_id = sequence_id.wrapping_add(1);
        let known = association.identity.filter(|_| !association.may_rebind());
        let body = Body::Signaling { target_port_identity: known.unwrap_or(PortIdentity::WILDCARD) };
        let to = association.entry.address;
        let message = Message::new(self.config.port.header(sequence_id), body);
        self.send(to, Channel::General, &message, tlvs, None);
    }

    /// Sends one server whatever is due to it, and notices grants that ended.
    pub(super) fn negotiate(&mut self, now: Instant, index: usize) {
        let patience = self.patience(index);
        // One for all types: what was granted together stays together.
        let jitter = self.random.f64();
        let mut tlvs = ArrayVec::<_, 3>::new();
        for place in 0..self.associations[index].contracts.len() {
            self.expire(now, index, place);
            let contract = &mut self.associations[index].contracts[place];
            let message_type = contract.message_type();
            if contract.take_cancel(now) {
                tlvs.push(Tlv::CancelUnicast(CancelUnicast {
                    message_type,
                    maintain_request: false,
                    maintain_grant: true,
                }));
            } else if contract.wants_request(now + BUNDLE) {
                contract.requested(now, jitter, patience);
                tlvs.push(Tlv::RequestUnicast(RequestUnicast {
                    message_type,
                    log_inter_message_period: self.requested_log_interval(message_type),
                    duration_field: self.config.duration,
                }));
            }
        }
        self.send_signaling(index, &tlvs);
        self.associations[index].schedule_negotiation();
    }

    fn expire(&mut self, now: Instant, index: usize, place: usize) {
        let association = &mut self.associations[index];
        let contract = &mut association.contracts[place];
        if !contract.expire(now) {
            return;
        }
        let (reason, detail) = (contract.unanswered(), format!("{:?}", contract.message_type()));
        association.lose(now, reason);
        let address = Some(association.entry.address);
        self.event(address, Kind::Expired, Some(Reason::DurationOver), Some(detail));
    }

    fn patience(&self, index: usize) -> Patience {
        match self.config.retry {
            Retry::Telecom => Patience::Telecom,
            Retry::Fast if self.selected.is_some_and(|selected| selected != index) => Patience::Served,
            Retry::Fast => Patience::Alone,
        }
    }

    fn requested_log_interval(&self, message_type: MessageType) -> i8 {
        match message_type {
            MessageType::Announce => self.config.log_announce_interval,
            MessageType::Sync => self.config.log_sync_interval,
            _ => self.config.log_delay_resp_interval,
        }
    }

    /// Looks at the state of the negotiation with one server.
    pub(super) fn check(&mut self, now: Instant, index: usize) {
        let address = Some(self.associations[index].entry.address);
        for place in 0..self.associations[index].contracts.len() {
            let contract = &mut self.associations[index].contracts[place];
            if let Some(reason) = contract.check(now) {
                self.event(address, Kind::Unanswered, Some(reason), None);
            }
        }
        let association = &mut self.associations[index];
        if association.give_up_in_part(now) {
            self.event(address, Kind::Cancelled, Some(Reason::ServedInPart), None);
        }
        self.associations[index].set_timer(Timer::Check, now + self.config.check_interval);
    }

    /// No server serves any more: nobody waits for its turn.
    pub(super) fn hasten(&mut self, now: Instant) {
        if self.config.retry == Retry::Telecom {
            return;
        }
        for association in &mut self.associations {
            association.contracts.iter_mut().for_each(|contract| contract.hasten(now));
            association.schedule_negotiation();
        }
    }

    /// With warm standby: the server in use, and the one that should be, are asked for everything; others for Announce.
    pub(super) fn demand(&mut self, now: Instant) {
        if self.config.standby == Standby::Hot {
            return;
        }
        let surroundings = self.surroundings();
        let mut candidates = ArrayVec::<Candidate, MAX_SERVERS>::new();
        for (index, association) in self.servers().iter().enumerate() {
            let eligible = !matches!(association.condition(&surroundings), Condition::Unusable(_));
            if let Some(announced) = association.announced.as_ref().filter(|_| eligible) {
                let rank =
                    Rank::new(&announced.announce, association.entry.local_priority, self.config.select);
                candidates.push(Candidate { index, rank, restoring: association.is_restoring() });
            }
        }
        let Some(best) = choose(candidates.into_iter(), self.selected) else {
            return;
        };
        for index in 0..self.configured {
            let all = index == best || Some(index) == self.selected;
            let association = &mut self.associations[index];
            if association.wants_all() == all {
                continue;
            }
            let served = association.contracts.iter().skip(1).any(|contract| contract.grant().is_some());
            let address = Some(association.entry.address);
            association.want_all(now, all);
            if !all && served {
                let detail = Some("Sync, DelayResp".to_owned());
                self.event(address, Kind::Cancelled, Some(Reason::NotNeeded), detail);
            }
        }
    }

    /// A CANCEL waits for its acknowledgement.
    pub(super) fn is_cancelling(&self) -> bool {
        self.associations.iter().any(Association::is_cancelling)
    }
}
