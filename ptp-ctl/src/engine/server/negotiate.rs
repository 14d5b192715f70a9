//! Requests and cancellations of clients.

use super::clients::{Key, Service};
use super::policy::Terms;
use super::{Count, Server};
use crate::engine::client::targets;
use crate::engine::event::{Kind, Reason};
use crate::engine::timers::interval;
use crate::engine::{Instant, Output};
use arrayvec::ArrayVec;
use ptp_common::wire::{CancelUnicast, GrantUnicast, Message, PortIdentity, RequestUnicast, Tlv};
use std::net::IpAddr;

/// Most answers that fit into one message; what a client asks beyond it, it must ask again.
const MAX_ANSWERS: usize = 8;

impl Server {
    pub(super) fn signaling(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        from: IpAddr,
        target_port_identity: PortIdentity,
    ) -> Result<Count, Count> {
        if !targets(target_port_identity, self.config.port.port_identity) {
            return Err(Count::WrongTarget);
        }
        let key = (from, message.header.source_port_identity);
        if !self.recent.is_in_order(now, key, message.header.sequence_id) {
            return Err(Count::Overtaken);
        }
        let mut answers = ArrayVec::<_, MAX_ANSWERS>::new();
        let mut acted = false;
        for tlv in message.suffix.iter() {
            let answer = match tlv {
                Tlv::RequestUnicast(request) => self.request(now, key, &request).map(Tlv::GrantUnicast),
                Tlv::CancelUnicast(cancel) => self.cancel(key, cancel),
                Tlv::AcknowledgeCancelUnicast(_) => {
                    acted = true;
                    None
                }
                Tlv::GrantUnicast(_) | Tlv::PathTrace(_) | Tlv::Unknown { .. } => None,
            };
            if let Some(answer) = answer
                && answers.try_push(answer).is_err()
            {
                break;
            }
        }
        if answers.is_empty() && !acted {
            return Err(Count::NothingToDo);
        }
        self.send_signaling(from, message.header.source_port_identity, &answers);
        Ok(Count::Signaling)
    }

    /// The answer to a REQUEST: what was asked for, or as near to it as the limits allow, or duration 0.
    fn request(&mut self, now: Instant, key: Key, request: &RequestUnicast) -> Option<GrantUnicast> {
        let service = Service::of(request.message_type)?;
        let (address, port_identity) = key;
        let terms = self.terms(key, service, request).unwrap_or_else(|reason| {
            self.deny(now, key, service, reason);
            Terms { log_interval: request.log_inter_message_period, duration: 0 }
        });
        let Terms { log_interval, duration } = terms;
        if duration > 0 {
            let before = self.clients.find(key).and_then(|id| self.clients.get(id)?.log_interval(service));
            self.promise(service, before, Some(log_interval));
            let (expires, new) = self.clients.grant(now, key, service, log_interval, duration);
            let message_type = request.message_type;
            self.outputs.push_back(Output::Grant {
                client: address,
                port_identity,
                message_type,
                log_interval,
                expires,
            });
            if new {
                let every = interval(log_interval);
                let detail =
                    format!("{} of {port_identity} every {every:?} for {duration} s", service.name());
                self.event(address, Kind::Granted, Some(Reason::PeerRequest), detail);
            }
        }
        Some(GrantUnicast {
            message_type: request.message_type,
            log_inter_message_period: log_interval,
            duration_field: duration,
            renewal_invited: duration > 0,
        })
    }

    /// Ends a service, and acknowledges it even where there is nothing (any more) to end: the client repeats its
    /// CANCEL until it is acknowledged.
    fn cancel(&mut self, key: Key, cancel: CancelUnicast) -> Option<Tlv<'static>> {
        let service = Service::of(cancel.message_type)?;
        let (address, port_identity) = key;
        // Who maintains its request does not end anything: that flag is the server's to clear.
        let served = self.clients.find(key).filter(|_| !cancel.maintain_request);
        let served = served.filter(|&id| self.clients.get(id).is_some_and(|client| client.has(service)));
        if let Some(id) = served {
            self.end(id, service);
            let detail = format!("{} of {port_identity}", service.name());
            self.event(address, Kind::Cancelled, Some(Reason::PeerRequest), detail);
        }
        Some(Tlv::AcknowledgeCancelUnicast(cancel))
    }
}
