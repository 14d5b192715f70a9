//! Everyone with a grant, and what is due to them when.

use super::status::ClientStatus;
use crate::engine::Instant;
use crate::engine::client::{GrantStatus, GrantsStatus};
use crate::engine::timers::interval;
use ptp_common::wire::{MessageType, PortIdentity};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

/// How much the intervals between messages vary, as a share of the interval to either side.
const JITTER: f64 = 0.09;

/// A client is an address and a port identity: two behind one address are two.
pub(super) type Key = (IpAddr, PortIdentity);

/// A place in the table of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ClientId(pub(super) u32);

/// A message type that can be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Service {
    Announce,
    Sync,
    DelayResp,
}

impl Service {
    pub(super) const ALL: [Self; 3] = [Self::Announce, Self::Sync, Self::DelayResp];

    pub(super) fn of(message_type: MessageType) -> Option<Self> {
        match message_type {
            MessageType::Announce => Some(Self::Announce),
            MessageType::Sync => Some(Self::Sync),
            MessageType::DelayResp => Some(Self::DelayResp),
            _ => None,
        }
    }

    pub(super) const fn message_type(self) -> MessageType {
        match self {
            Self::Announce => MessageType::Announce,
            Self::Sync => MessageType::Sync,
            Self::DelayResp => MessageType::DelayResp,
        }
    }

    pub(super) const fn name(self) -> &'static str {
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
    log_interval: i8,
    duration: u32,
    expires: Instant,
    /// Of the last Announce or Sync.
    last_sent: Option<Instant>,
    /// Of the next one; `None` for Delay_Resp, which waits for a Delay_Req.
    next_send: Option<Instant>,
    /// Its number: alarms of earlier grants are void.
    epoch: u32,
}

/// One client.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) key: Key,
    grants: [Option<Grant>; 3],
    /// Of the next Announce and Sync; outlives a grant, so that a client sees no jump.
    sequence_ids: [u16; 3],
}

impl Client {
    pub(super) fn has(&self, service: Service) -> bool {
        self.grants[service as usize].is_some()
    }

    pub(super) fn has_until(&self, service: Service, now: Instant) -> bool {
        self.grants[service as usize].is_some_and(|grant| grant.expires > now)
    }

    /// logInterMessagePeriod of what it was granted.
    pub(super) fn log_interval(&self, service: Service) -> Option<i8> {
        self.grants[service as usize].map(|grant| grant.log_interval)
    }

    pub(super) fn granted_types(&self) -> impl Iterator<Item = MessageType> + use<> {
        let grants = self.grants;
        Service::ALL
            .into_iter()
            .filter(move |&service| grants[service as usize].is_some())
            .map(Service::message_type)
    }

    pub(super) fn status(&self, now: Instant) -> ClientStatus {
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
}

/// Something whose time has come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    /// A message is due to a client.
    Send { client: ClientId, service: Service, sequence_id: u16, log_interval: i8 },
    /// The duration of a grant is over.
    Expired { client: ClientId, service: Service },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Alarm {
    at: Instant,
    client: ClientId,
    service: Service,
    epoch: u32,
}

/// The table of clients.
#[derive(Debug)]
pub(super) struct Clients {
    places: Vec<Option<Client>>,
    free: Vec<ClientId>,
    by_key: HashMap<Key, ClientId>,
    alarms: BinaryHeap<Reverse<Alarm>>,
    last_epoch: u32,
    random: fastrand::Rng,
}

impl Clients {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            alarms: BinaryHeap::new(),
            last_epoch: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn find(&self, key: Key) -> Option<ClientId> {
        self.by_key.get(&key).copied()
    }

    pub(super) fn get(&self, id: ClientId) -> Option<&Client> {
        self.places.get(id.0 as usize)?.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.places.iter().flatten()
    }

    /// Grants, or renews: the end of the grant, and whether it is a new one.
    ///
    /// The first message goes out at once. So does one after a renewal, for the client may have been restarted, but
    /// never sooner than half an interval after the last.
    pub(super) fn grant(
        &mut self,
        now: Instant,
        key: Key,
        service: Service,
        log_interval: i8,
        duration: u32,
    ) -> (Instant, bool) {
        let expires = now + Duration::from_secs(duration.into());
        let epoch = self.last_epoch.wrapping_add(1);
        self.last_epoch = epoch;
        let id = self.find(key).unwrap_or_else(|| self.insert(key));
        let Some(client) = self.places.get_mut(id.0 as usize).and_then(Option::as_mut) else {
            return (expires, false);
        };
        let previous = client.grants[service as usize];
        let last_sent = previous.and_then(|grant| grant.last_sent);
        let next_send = (service != Service::DelayResp).then(|| {
            let earliest = last_sent.map(|last| last + interval(log_interval) / 2);
            earliest.map_or(now, |earliest| earliest.max(now))
        });
        client.grants[service as usize] =
            Some(Grant { log_interval, duration, expires, last_sent, next_send, epoch });
        let at = next_send.map_or(expires, |next| next.min(expires));
        self.alarms.push(Reverse(Alarm { at, client: id, service, epoch }));
        (expires, previous.is_none())
    }

    /// The next Announce to every client is due now, and before any Sync.
    pub(super) fn hasten_announce(&mut self, now: Instant) {
        for (index, place) in self.places.iter_mut().enumerate() {
            let announce =
                place.as_mut().and_then(|client| client.grants[Service::Announce as usize].as_mut());
            if let Some(grant) = announce {
                self.last_epoch = self.last_epoch.wrapping_add(1);
                (grant.epoch, grant.next_send) = (self.last_epoch, Some(now));
                // At the start of time, so that it comes before a Sync that is overdue.
                let alarm = Alarm {
                    at: Instant::default(),
                    client: ClientId(index as u32),
                    service: Service::Announce,
                    epoch: grant.epoch,
                };
                self.alarms.push(Reverse(alarm));
            }
        }
    }

    /// Ends a grant; a client without any is forgotten.
    pub(super) fn revoke(&mut self, id: ClientId, service: Service) {
        let Some(place) = self.places.get_mut(id.0 as usize) else {
            return;
        };
        let Some(client) = place else {
            return;
        };
        client.grants[service as usize] = None;
        if client.grants.iter().all(Option::is_none) {
            self.by_key.remove(&client.key);
            *place = None;
            self.free.push(id);
        }
    }

    /// When something is due next; it may turn out to be void.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.alarms.peek().map(|Reverse(alarm)| alarm.at)
    }

    /// Takes out one thing that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Due> {
        while let Some(Reverse(alarm)) = self.alarms.peek().copied().filter(|Reverse(alarm)| alarm.at <= now)
        {
            self.alarms.pop();
            if let Some(due) = self.ring(now, alarm) {
                return Some(due);
            }
        }
        None
    }

    fn ring(&mut self, now: Instant, alarm: Alarm) -> Option<Due> {
        let Alarm { client: id, service, epoch, .. } = alarm;
        let client = self.places.get_mut(id.0 as usize)?.as_mut()?;
        let grant = client.grants[service as usize].as_mut().filter(|grant| grant.epoch == epoch)?;
        if grant.expires <= now {
            return Some(Due::Expired { client: id, service });
        }
        let next = grant.next_send.as_mut()?;
        let first = grant.last_sent.replace(now).is_none();
        let interval = interval(grant.log_interval);
        // A packet that follows another one closely finds its path woken up, and is faster than all others. So nothing
        // keeps pace with anything else: the first Announce and Sync leave together, the second ones part, and later
        // intervals vary (IEEE 1588-2019, 9.5.9.2, lets them by 30 %).
        let share = if first {
            0.5 + 0.5 * self.random.f64()
        } else {
            1.0 - JITTER + 2.0 * JITTER * self.random.f64()
        };
        let step = interval.mul_f64(share);
        *next = *next + step;
        if *next <= now {
            // The machine stood still: go on from here, in the same rhythm, instead of sending what was missed.
            *next = now + interval;
        }
        let at = (*next).min(grant.expires);
        let sequence_id = client.sequence_ids[service as usize];
        client.sequence_ids[service as usize] = sequence_id.wrapping_add(1);
        let log_interval = grant.log_interval;
        self.alarms.push(Reverse(Alarm { at, ..alarm }));
        Some(Due::Send { client: id, service, sequence_id, log_interval })
    }

    fn insert(&mut self, key: Key) -> ClientId {
        let client = Client { key, grants: [None; 3], sequence_ids: [0; 3] };
        let id = match self.free.pop() {
            Some(id) => {
                self.places[id.0 as usize] = Some(client);
                id
            }
            None => {
                self.places.push(Some(client));
                ClientId((self.places.len() - 1) as u32)
            }
        };
        self.by_key.insert(key, id);
        id
    }
}
