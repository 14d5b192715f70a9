//! Everyone with a grant, and what is due to them when.
//!
//! Made for a million: a client takes [`Client`]'s octets, one alarm and one entry of the index, and nothing that is
//! done for one client takes longer because there are others.

mod alarms;
mod client;

pub(super) use client::{Client, Service};

use crate::engine::Instant;
use crate::engine::timers::interval;
use alarms::Alarms;
use client::{Grant, NEVER};
use hashbrown::HashTable;
use ptp_common::wire::PortIdentity;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

/// How much the intervals between messages vary, as a share of the interval to either side.
const JITTER: f64 = 0.09;

/// A client is an address and a port identity: two behind one address are two.
pub(super) type Key = (IpAddr, PortIdentity);

/// A place in the table of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ClientId(pub(super) u32);

/// Something whose time has come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    /// A message is due to a client.
    Send { client: ClientId, service: Service, sequence_id: u16, log_interval: i8 },
    /// The duration of a grant is over: to be revoked.
    Expired { client: ClientId, service: Service },
}

/// The table of clients.
#[derive(Debug)]
pub(super) struct Clients {
    places: Vec<Option<Client>>,
    free: Vec<ClientId>,
    /// Numbers of places.
    index: HashTable<u32>,
    hasher: RandomState,
    /// One for each client, no later than what is due to it next.
    alarms: Alarms,
    /// Grants of each service.
    granted: [usize; 3],
    random: fastrand::Rng,
    /// Announce and Sync are sent from here; else nothing becomes due but the ends of grants.
    pub(super) sends: bool,
}

impl Clients {
    /// `expected`: so many clients come in without a pause for a larger index.
    pub(super) fn new(seed: u64, expected: usize) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            index: HashTable::with_capacity(expected),
            hasher: RandomState::new(),
            alarms: Alarms::new(),
            granted: [0; 3],
            random: fastrand::Rng::with_seed(seed),
            sends: true,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// How many have a grant of a service.
    pub(super) fn granted(&self, service: Service) -> usize {
        self.granted[service as usize]
    }

    pub(super) fn find(&self, key: Key) -> Option<ClientId> {
        let is_it =
            |&place: &u32| self.places[place as usize].as_ref().is_some_and(|client| client.key == key);
        self.index.find(hash(&self.hasher, Some(key)), is_it).copied().map(ClientId)
    }

    /// Numbers of places are below that.
    pub(super) fn places(&self) -> u32 {
        self.places.len() as u32
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
        let id = self.find(key).unwrap_or_else(|| self.insert(key));
        let Some(client) = self.places.get_mut(id.0 as usize).and_then(Option::as_mut) else {
            return (expires, false);
        };
        let previous = client.grants[service as usize];
        let (has_sent, last_sent) = previous.map_or((false, now), |grant| (grant.has_sent, grant.last_sent));
        let next_send = match service {
            // It waits for a Delay_Req.
            Service::DelayResp => NEVER,
            // The data plane sends them.
            Service::Announce | Service::Sync if !self.sends => NEVER,
            Service::Announce | Service::Sync if has_sent => {
                (last_sent + interval(log_interval) / 2).max(now)
            }
            Service::Announce | Service::Sync => now,
        };
        client.grants[service as usize] =
            Some(Grant { expires, next_send, last_sent, has_sent, duration, log_interval });
        self.granted[service as usize] += usize::from(previous.is_none());
        self.alarms.advance(now);
        self.arm(id);
        (expires, previous.is_none())
    }

    /// The next Announce to every client is due now, and before any Sync.
    pub(super) fn hasten_announce(&mut self) {
        if !self.sends {
            return;
        }
        for (place, client) in (0..).zip(&mut self.places) {
            let announce =
                client.as_mut().and_then(|client| client.grants[Service::Announce as usize].as_mut());
            if let Some(grant) = announce {
                // At the start of time, so that it comes before a Sync that is overdue.
                grant.next_send = Instant::default();
                self.alarms.set(place, grant.next_send);
            }
        }
    }

    /// Ends a grant; a client without any is forgotten.
    pub(super) fn revoke(&mut self, id: ClientId, service: Service) {
        let Some(Some(client)) = self.places.get_mut(id.0 as usize) else {
            return;
        };
        self.granted[service as usize] -= usize::from(client.grants[service as usize].take().is_some());
        if client.grants.iter().any(Option::is_some) {
            self.arm(id);
        } else {
            self.remove(id);
        }
    }

    /// When to look for what is due; there may turn out to be nothing yet.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.alarms.next()
    }

    /// Takes out one thing that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Due> {
        while let Some(place) = self.alarms.pop(now) {
            let due = self.ring(now, ClientId(place));
            if due.is_some() {
                return due;
            }
        }
        None
    }

    fn ring(&mut self, now: Instant, id: ClientId) -> Option<Due> {
        let client = self.places.get_mut(id.0 as usize)?.as_mut()?;
        let (at, service) = client.next_due()?;
        if at > now {
            // A renewal has put it off.
            self.alarms.set(id.0, at);
            return None;
        }
        let grant = client.grants[service as usize].as_mut()?;
        if grant.expires <= now {
            return Some(Due::Expired { client: id, service });
        }
        let interval = interval(grant.log_interval);
        // A packet that follows another one closely finds its path woken up, and is faster than all others. So nothing
        // keeps pace with anything else: the first Announce and Sync leave together, the second ones part, and later
        // intervals vary (IEEE 1588-2019, 9.5.9.2, lets them by 30 %).
        let share = if grant.has_sent {
            1.0 - JITTER + 2.0 * JITTER * self.random.f64()
        } else {
            0.5 + 0.5 * self.random.f64()
        };
        let was_hastened = grant.next_send == Instant::default();
        let planned = if was_hastened { now } else { grant.next_send };
        grant.next_send = planned + interval.mul_f64(share);
        if grant.next_send <= now {
            // The machine stood still: go on from here, in the same rhythm, instead of sending what was missed.
            grant.next_send = now + interval;
        }
        (grant.has_sent, grant.last_sent) = (true, now);
        let log_interval = grant.log_interval;
        // Delay_Resp is not sent from here.
        let next = client.sequence_ids.get_mut(service as usize)?;
        let sequence_id = *next;
        *next = sequence_id.wrapping_add(1);
        self.arm(id);
        Some(Due::Send { client: id, service, sequence_id, log_interval })
    }

    /// Makes sure that a client's alarm does not come too late. One that comes too early stays: renewals then cost
    /// nothing.
    fn arm(&mut self, id: ClientId) {
        let Some((due, _)) = self.get(id).and_then(Client::next_due) else { return };
        if self.alarms.get(id.0).is_none_or(|at| at > due) {
            self.alarms.set(id.0, due);
        }
    }

    fn insert(&mut self, key: Key) -> ClientId {
        let client = Some(Client::new(key));
        let id = match self.free.pop() {
            Some(id) => {
                self.places[id.0 as usize] = client;
                id
            }
            None => {
                self.places.push(client);
                ClientId((self.places.len() - 1) as u32)
            }
        };
        let Self { places, index, hasher, .. } = self;
        index.insert_unique(hash(hasher, Some(key)), id.0, |&place| {
            hash(hasher, places[place as usize].as_ref().map(|client| client.key))
        });
        id
    }

    /// Takes out any client, with all of its grants.
    pub(super) fn take_any(&mut self) -> Option<Client> {
        while let Some(place) = self.places.last() {
            let client = place.clone();
            if client.is_some() {
                self.remove(ClientId((self.places.len() - 1) as u32));
            }
            self.places.pop();
            if client.is_some() {
                return client;
            }
        }
        None
    }

    fn remove(&mut self, id: ClientId) {
        let Some(client) = self.places[id.0 as usize].take() else { return };
        self.alarms.clear(id.0);
        let found = self.index.find_entry(hash(&self.hasher, Some(client.key)), |&place| place == id.0);
        if let Ok(entry) = found {
            entry.remove();
        }
        self.free.push(id);
    }
}

/// `None` is of a place that is free: none of those is in the index.
fn hash(hasher: &RandomState, key: Option<Key>) -> u64 {
    hasher.hash_one(key)
}

#[cfg(test)]
mod tests;
