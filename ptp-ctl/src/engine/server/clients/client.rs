//! One client and its grants: as small as can be, for there may be a million.

use super::Key;
use crate::engine::Instant;
use crate::engine::client::{GrantStatus, GrantsStatus};
use crate::engine::server::status::ClientStatus;
use crate::engine::timers::interval;
use ptp_common::wire::MessageType;

/// A message type that can be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine::server) enum Service {
    Announce,
    Sync,
    DelayResp,
}

impl Service {
    pub(in crate::engine::server) const ALL: [Self; 3] = [Self::Announce, Self::Sync, Self::DelayResp];

    pub(in crate::engine::server) fn of(message_type: MessageType) -> Option<Self> {
        match message_type {
            MessageType::Announce => Some(Self::Announce),
            MessageType::Sync => Some(Self::Sync),
            MessageType::DelayResp => Some(Self::DelayResp),
            _ => None,
        }
    }

    pub(in crate::engine::server) const fn message_type(self) -> MessageType {
        match self {
            Self::Announce => MessageType::Announce,
            Self::Sync => MessageType::Sync,
            Self::DelayResp => MessageType::DelayResp,
        }
    }

    pub(in crate::engine::server) const fn name(self) -> &'static str {
        match self {
            Self::Announce => "Announce",
            Self::Sync => "Sync",
            Self::DelayResp => "DelayResp",
        }
    }
}

/// What a client was granted of one service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    pub(super) expires: Instant,
    /// Of the next Announce or Sync; [`NEVER`] where the table sends none.
    pub(super) next_send: Instant,
    /// Of the last one, where `has_sent`.
    pub(super) last_sent: Instant,
    pub(super) has_sent: bool,
    /// durationField, s.
    pub(super) duration: u32,
    pub(super) log_interval: i8,
}

/// A time that does not come.
pub(super) const NEVER: Instant = Instant::from_nanos(u64::MAX);

impl Grant {
    /// When there is something to do for it.
    pub(super) fn due(&self) -> Instant {
        self.next_send.min(self.expires)
    }
}

/// One client.
#[derive(Clone, Debug)]
pub(in crate::engine::server) struct Client {
    pub(in crate::engine::server) key: Key,
    pub(super) grants: [Option<Grant>; 3],
    /// Of the next Announce and Sync; outlives a grant, so that a client sees no jump.
    pub(super) sequence_ids: [u16; 2],
}

impl Client {
    pub(super) fn new(key: Key) -> Self {
        Self { key, grants: [None; 3], sequence_ids: [0; 2] }
    }

    pub(in crate::engine::server) fn has(&self, service: Service) -> bool {
        self.grants[service as usize].is_some()
    }

    pub(in crate::engine::server) fn has_until(&self, service: Service, now: Instant) -> bool {
        self.grants[service as usize].is_some_and(|grant| grant.expires > now)
    }

    /// logInterMessagePeriod of what it was granted.
    pub(in crate::engine::server) fn log_interval(&self, service: Service) -> Option<i8> {
        self.grants[service as usize].map(|grant| grant.log_interval)
    }

    pub(in crate::engine::server) fn granted_types(&self) -> impl Iterator<Item = MessageType> + use<> {
        let grants = self.grants;
        Service::ALL
            .into_iter()
            .filter(move |&service| grants[service as usize].is_some())
            .map(Service::message_type)
    }

    /// Messages that go to it each second by its grants: Announce, Sync, and Delay_Resp if it asks as often as it may.
    pub(in crate::engine::server) fn granted_rate(&self) -> f64 {
        let rate = |grant: &Grant| interval(grant.log_interval).as_secs_f64().recip();
        self.grants.iter().flatten().map(rate).sum()
    }

    pub(in crate::engine::server) fn status(&self, now: Instant) -> ClientStatus {
        let [announce, sync, delay_resp] = self.grants.map(|grant| GrantStatus {
            state: if grant.is_some() { "granted" } else { "idle" },
            log_interval: grant.map(|grant| grant.log_interval),
            duration_s: grant.map(|grant| grant.duration),
            expires_in_s: grant.map(|grant| grant.expires.since(now).as_secs_f64()),
        });
        let (address, port_identity) = self.key;
        ClientStatus {
            address,
            port_identity: port_identity.to_string(),
            grants: GrantsStatus { announce, sync, delay_resp },
        }
    }

    /// What there is to do for it next, and when.
    pub(super) fn next_due(&self) -> Option<(Instant, Service)> {
        let due = |service: Service| Some((self.grants[service as usize]?.due(), service));
        Service::ALL.into_iter().filter_map(due).min()
    }
}
