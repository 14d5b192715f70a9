//! Which clients a server has: those of a prefix, the busiest first.

use super::clients::{Client, ClientId};
use super::prefix::Prefix;
use super::status::{ClientStatus, Totals};
use super::{Server, clients::Service};
use crate::engine::Instant;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Which clients are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Only those of this prefix.
    pub prefix: Option<Prefix>,
    /// So many of them: those whose grants allow the most messages a second.
    pub top: usize,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// All clients of the server.
    pub totals: Totals,
    /// Those of the prefix.
    pub matching: Totals,
    /// Messages a second to those of the prefix at most, by their grants.
    pub granted_per_s: f64,
    /// The busiest of them, in order.
    pub clients: Vec<ClientStatus>,
}

/// A search that is done in pieces, so that a million clients do not hold up the packets.
#[derive(Debug)]
pub struct Search {
    wanted: Wanted,
    /// The place that comes next.
    place: u32,
    matching: Totals,
    granted_per_s: f64,
    /// The busiest so far, the least busy on top; rates in messages per 1024 s, which are whole numbers.
    best: BinaryHeap<Reverse<(u64, ClientId)>>,
}

impl Search {
    /// A search that has not begun.
    pub fn new(wanted: Wanted) -> Self {
        Self { wanted, place: 0, matching: Totals::default(), granted_per_s: 0.0, best: BinaryHeap::new() }
    }

    fn look_at(&mut self, id: ClientId, client: &Client) {
        let (address, _) = client.key;
        if self.wanted.prefix.is_some_and(|prefix| !prefix.contains(address)) {
            return;
        }
        self.matching.clients += 1;
        self.matching.announce += usize::from(client.has(Service::Announce));
        self.matching.sync += usize::from(client.has(Service::Sync));
        self.matching.delay_resp += usize::from(client.has(Service::DelayResp));
        let rate = client.granted_rate();
        self.granted_per_s += rate;
        self.best.push(Reverse(((rate * 1024.0) as u64, id)));
        if self.best.len() > self.wanted.top {
            self.best.pop();
        }
    }
}

impl Server {
    /// Looks at up to `most` more places of the table; the answer when all were looked at.
    pub fn search(&self, search: &mut Search, now: Instant, most: u32) -> Option<Found> {
        let end = search.place.saturating_add(most).min(self.clients.places());
        for place in search.place..end {
            let id = ClientId(place);
            if let Some(client) = self.clients.get(id) {
                search.look_at(id, client);
            }
        }
        search.place = end;
        if end < self.clients.places() {
            return None;
        }
        let best = std::mem::take(&mut search.best).into_sorted_vec();
        Some(Found {
            totals: self.totals(),
            matching: search.matching,
            granted_per_s: search.granted_per_s,
            clients: best
                .into_iter()
                .filter_map(|Reverse((_, id))| Some(self.clients.get(id)?.status(now)))
                .collect(),
        })
    }
}
