//! What comes in: a packet that is not exactly what was asked for changes nothing but a counter.

use super::announced::Announced;
use super::association::{Association, Timer};
use super::contract::{Answer, Contract};
use super::early::Arrival;
use super::exchange::Unpaired;
use super::{Client, Count};
use crate::engine::Instant;
use crate::engine::event::{Kind, Reason};
use crate::engine::timers::interval;
use arrayvec::ArrayVec;
use ptp_common::net::Channel;
use ptp_common::time::{Interval, Timestamp};
use ptp_common::wire::{
    Announce, Body, CancelUnicast, Flags, GrantUnicast, Header, Message, MessageType, PortIdentity, Tlv,
};
use std::net::IpAddr;

impl Client {
    pub(super) fn received(
        &mut self,
        now: Instant,
        bytes: &[u8],
        from: IpAddr,
        channel: Channel,
        arrival: Arrival,
    ) {
        let message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(error) => {
                self.malformed[error.index()] += 1;
                return;
            }
        };
        let dispatched = self.dispatch(now, &message, from, channel, arrival);
        let count = match dispatched {
            Err(Count::Unasked) => self.keep(&message, bytes, from, channel, arrival),
            Ok(count) | Err(count) => count,
        };
        self.counts.count(count);
        if dispatched == Ok(Count::Signaling) {
            self.take_early(now, from);
        }
    }

    /// `Err` where the message was not used.
    fn dispatch(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        from: IpAddr,
        channel: Channel,
        arrival: Arrival,
    ) -> Result<Count, Count> {
        let position = self.associations.iter().position(|association| association.entry.address == from);
        let index = position.ok_or(Count::UnknownSource)?;
        let header = &message.header;
        let port = &self.config.port;
        if header.domain_number != port.domain_number {
            return Err(Count::WrongDomain);
        }
        if header.sdo_id != port.sdo_id {
            return Err(Count::WrongSdoId);
        }
        let is_event = matches!(message.body, Body::Sync { .. } | Body::DelayReq { .. });
        if is_event != (channel == Channel::Event) {
            return Err(Count::WrongPort);
        }
        match message.body {
            Body::Announce(announce) => self.announce(now, index, message, announce),
            Body::Sync { origin_timestamp } => self.sync(now, index, header, origin_timestamp, arrival),
            Body::FollowUp { precise_origin_timestamp } => {
                self.follow_up(now, index, header, precise_origin_timestamp)
            }
            Body::DelayResp { receive_timestamp, requesting_port_identity } => {
                self.delay_resp(now, index, header, receive_timestamp, requesting_port_identity)
            }
            Body::Signaling { target_port_identity } => {
                self.signaling(now, index, message, target_port_identity)
            }
            Body::DelayReq { .. } | Body::Management(_) => Err(Count::NotForClient),
        }
    }

    /// The sender is the one that granted this message type.
    fn check_granted(&self, index: usize, header: &Header, message_type: MessageType) -> Result<(), Count> {
        let association = &self.associations[index];
        if !association.is_granted(message_type) {
            return Err(Count::Unasked);
        }
        if association.identity != Some(header.source_port_identity) {
            return Err(Count::WrongSourceIdentity);
        }
        Ok(())
    }

    fn announce(
        &mut self,
        now: Instant,
        index: usize,
        message: &Message<'_>,
        announce: Announce,
    ) -> Result<Count, Count> {
        self.check_granted(index, &message.header, MessageType::Announce)?;
        let own = self.config.port.port_identity.clock_identity;
        let announced = Announced::new(message, announce, own, self.config.max_steps_removed);
        let association = &mut self.associations[index];
        association.ptp_timescale_known |= announced.ptp_timescale();
        let time_base = |announced: &Announced| {
            let utc = Flags(announced.flags.0 & (Flags::CURRENT_UTC_OFFSET_VALID.0 | Flags::PTP_TIMESCALE.0));
            (utc, announced.announce.current_utc_offset)
        };
        if association.announced.as_ref().is_some_and(|before| time_base(before) != time_base(&announced)) {
            association.void();
            association.recovery = None;
        }
        let found = association.announced.as_ref().is_some_and(|before| announced.has_found_its_time(before));
        let is_first = association.announced.replace(announced).is_none();
        if found {
            self.begin_anew(now, index);
        }
        let association = &mut self.associations[index];
        if !association.wants_all() && association.reappear() && !self.config.wait_to_restore.is_zero() {
            association.set_timer(Timer::Restore, now + self.config.wait_to_restore);
        }
        self.await_next(now, index, MessageType::Announce, Some(message.header.sequence_id));
        if is_first {
            self.take_unannounced(now, index, announce.origin_timestamp);
        }
        self.reselect(now);
        Ok(Count::Announce)
    }

    fn sync(
        &mut self,
        now: Instant,
        index: usize,
        header: &Header,
        origin_timestamp: Timestamp,
        arrival: Arrival,
    ) -> Result<Count, Count> {
        self.check_granted(index, header, MessageType::Sync)?;
        if arrival.at < self.guard_until {
            return Err(Count::AroundStep);
        }
        let t2 = arrival.rx.ok_or(Count::NoRxStamp)?;
        self.timeline.observe(arrival.at, t2);
        let correction = correction(header)?;
        let one_step = !header.flags.contains(Flags::TWO_STEP);
        let exchanges = &mut self.associations[index].exchanges;
        let complete = exchanges
            .sync(now, header.sequence_id, t2, correction, one_step.then_some(origin_timestamp))
            .map_err(count_unpaired)?;
        self.await_next(now, index, MessageType::Sync, Some(header.sequence_id));
        self.finish(now, index, complete);
        self.schedule_delay_req(now, index);
        Ok(Count::Sync)
    }

    fn follow_up(
        &mut self,
        now: Instant,
        index: usize,
        header: &Header,
        precise_origin_timestamp: Timestamp,
    ) -> Result<Count, Count> {
        self.check_granted(index, header, MessageType::Sync)?;
        let correction = correction(header)?;
        let exchanges = &mut self.associations[index].exchanges;
        let complete = exchanges
            .follow_up(now, header.sequence_id, precise_origin_timestamp, correction)
            .map_err(count_unpaired)?;
        self.finish(now, index, complete);
        Ok(Count::FollowUp)
    }

    fn delay_resp(
        &mut self,
        now: Instant,
        index: usize,
        header: &Header,
        receive_timestamp: Timestamp,
        requesting_port_identity: PortIdentity,
    ) -> Result<Count, Count> {
        if requesting_port_identity != self.config.port.port_identity {
            return Err(Count::WrongRequester);
        }
        self.check_granted(index, header, MessageType::DelayResp)?;
        let correction = correction(header)?;
        let association = &mut self.associations[index];
        let complete = association
            .exchanges
            .delay_resp(now, header.sequence_id, receive_timestamp, correction)
            .map_err(count_unpaired)?;
        association.answered(header.sequence_id);
        self.finish(now, index, complete);
        Ok(Count::DelayResp)
    }

    fn signaling(
        &mut self,
        now: Instant,
        index: usize,
        message: &Message<'_>,
        target_port_identity: PortIdentity,
    ) -> Result<Count, Count> {
        if !targets(target_port_identity, self.config.port.port_identity) {
            return Err(Count::WrongTarget);
        }
        let source = message.header.source_port_identity;
        let association = &self.associations[index];
        if association.identity.is_some_and(|known| known != source) && !association.may_rebind() {
            return Err(Count::WrongSourceIdentity);
        }
        // One for all grants: they are renewed together.
        let jitter = self.random.f64();
        let mut used = Err(Count::Unasked);
        let mut acknowledgements = ArrayVec::<_, 3>::new();
        for tlv in message.suffix.iter() {
            match tlv {
                Tlv::GrantUnicast(grant) => {
                    if self.grant(now, index, source, &grant, jitter) {
                        used = Ok(Count::Signaling);
                    }
                }
                Tlv::CancelUnicast(cancel) => {
                    // Repeated where the acknowledgement was lost: it is acknowledged again, and ends nothing new.
                    let known = self.associations[index].identity == Some(source);
                    if self.cancel(now, index, &cancel) || known {
                        let _ = acknowledgements.try_push(Tlv::AcknowledgeCancelUnicast(cancel));
                        used = Ok(Count::Signaling);
                    }
                }
                Tlv::AcknowledgeCancelUnicast(cancel) => {
                    let contract = self.associations[index].contract(cancel.message_type);
                    if contract.is_some_and(Contract::acknowledged) {
                        used = Ok(Count::Signaling);
                    }
                }
                Tlv::RequestUnicast(_) | Tlv::PathTrace(_) | Tlv::Unknown { .. } => {}
            }
        }
        self.send_signaling(index, &acknowledgements);
        self.associations[index].schedule_negotiation();
        if !self.closed {
            self.reselect(now);
        }
        used
    }

    /// Whether anybody had asked.
    fn grant(
        &mut self,
        now: Instant,
        index: usize,
        source: PortIdentity,
        grant: &GrantUnicast,
        jitter: f64,
    ) -> bool {
        let association = &mut self.associations[index];
        let (address, rebind) = (association.entry.address, association.may_rebind());
        let Some(contract) = association.contract(grant.message_type) else {
            return false;
        };
        let answer = contract.granted(now, grant, jitter);
        if answer != Answer::Unasked && rebind && association.identity != Some(source) {
            association.identity = Some(source);
            association.void();
            association.recovery = None;
        }
        let name = grant.message_type;
        match answer {
            Answer::Unasked => return false,
            Answer::Denied(Some(reason)) => {
                self.event(Some(address), Kind::Denied, Some(reason), Some(format!("{name:?}")));
            }
            Answer::Denied(None) | Answer::Unwanted | Answer::Renewed => {}
            Answer::Granted => {
                let rate = interval(grant.log_inter_message_period);
                let detail = format!("{name:?} every {rate:?} for {} s", grant.duration_field);
                self.event(Some(address), Kind::Granted, None, Some(detail));
            }
        }
        let begins = match answer {
            Answer::Granted => true,
            // Of a server that is not waited for, since it was lost.
            Answer::Renewed => !self.associations[index].has_timer(Association::timer_of(name)),
            _ => false,
        };
        if begins && name != MessageType::DelayResp {
            self.await_next(now, index, name, None);
        }
        true
    }

    /// Whether there was something to end.
    fn cancel(&mut self, now: Instant, index: usize, cancel: &CancelUnicast) -> bool {
        let association = &mut self.associations[index];
        let address = association.entry.address;
        let Some(contract) = association.contract(cancel.message_type) else {
            return false;
        };
        if !contract.cancelled(now) {
            return false;
        }
        association.lose(now, Reason::DeleteLink);
        let detail = Some(format!("{:?}", cancel.message_type));
        self.event(Some(address), Kind::Cancelled, Some(Reason::PeerRequest), detail);
        true
    }
}

/// `target` means `own`: exactly, or by a wildcard for the port or for everything.
pub(in crate::engine) fn targets(target: PortIdentity, own: PortIdentity) -> bool {
    let clock = [own.clock_identity, PortIdentity::WILDCARD.clock_identity].contains(&target.clock_identity);
    let port = [own.port_number, PortIdentity::WILDCARD.port_number].contains(&target.port_number);
    clock && port
}

fn correction(header: &Header) -> Result<Interval, Count> {
    header.correction_field.interval().ok_or(Count::NoCorrection)
}

fn count_unpaired(unpaired: Unpaired) -> Count {
    match unpaired {
        Unpaired::Duplicate => Count::Duplicate,
        Unpaired::Unknown => Count::UnknownSequence,
    }
}
