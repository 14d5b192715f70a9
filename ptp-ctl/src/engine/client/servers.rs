//! The list of servers, which may change while the client runs.

use super::association::Association;
use super::contract::Contract;
use super::holdover::Reference;
use super::{Client, MAX_SERVERS};
use crate::engine::Instant;
use crate::engine::config::{ClientConfig, ServerEntry, Standby};
use crate::engine::event::{Kind, Reason};
use crate::engine::timers::TimerTable;
use std::net::IpAddr;

impl Client {
    /// Other settings. A server that is new is asked for its services at once, one that is gone is told so, and those that stay
    /// notice nothing. Intervals and durations are asked for from the next renewal on; identity, servo, standby, switch rate and
    /// delay asymmetry must be what they were.
    pub fn reconfigure(&mut self, now: Instant, config: ClientConfig) {
        self.config = config;
        self.take_list(now);
        self.reselect(now);
    }

    /// The servers of the settings, in their order.
    pub(super) fn servers(&self) -> &[Association] {
        &self.associations[..self.configured]
    }

    /// Makes the servers those of the settings, or the first [`MAX_SERVERS`] of them.
    ///
    /// What departs stays behind them until the next change at least: it may not have heard of it yet, and the clock goes by what
    /// is known of the last server until another one steers it.
    pub(super) fn take_list(&mut self, now: Instant) {
        let id = |index: usize| self.associations[index].id;
        let selected = self.selected.map(id);
        let reference = self.reference.map(|reference| id(reference.index));
        let ids: Vec<u16> = self.associations.iter().map(|association| association.id).collect();
        let mut staying = std::mem::take(&mut self.associations);
        let mut departed = staying.split_off(self.configured);
        for place in 0..self.config.servers.len().min(MAX_SERVERS) {
            let entry = self.config.servers[place];
            let association = if let Some(mut association) = take(&mut staying, entry.address) {
                association.entry = entry;
                association
            } else if let Some(association) = take(&mut departed, entry.address) {
                association.named_again(now, entry, self.config.standby)
            } else {
                let id = self.new_id(&ids);
                Association::new(now, id, entry, self.config.standby)
            };
            self.associations.push(association);
        }
        self.configured = self.associations.len();
        departed.retain(|association| association.is_cancelling() || Some(association.id) == reference);
        for mut association in staying {
            association.depart(now);
            self.event(Some(association.entry.address), Kind::Unusable, Some(Reason::ServerRemoved), None);
            departed.push(association);
        }
        self.associations.append(&mut departed);
        let index = |id: u16| self.associations.iter().position(|association| association.id == id);
        self.selected = selected.and_then(index);
        let of_reference = reference.and_then(index);
        self.reference =
            self.reference.zip(of_reference).map(|(reference, index)| Reference { index, ..reference });
    }

    /// Of a server that is added beside these. Where 65,536 were added, ids come again: no stamp is under way for that long.
    fn new_id(&mut self, known: &[u16]) -> u16 {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if !known.contains(&self.last_id) {
                return self.last_id;
            }
        }
    }
}

impl Association {
    /// It is in the settings again after it had departed: its time and its numbers go on, and all else begins anew.
    fn named_again(self, now: Instant, entry: ServerEntry, standby: Standby) -> Self {
        let mut new = Self::new(now, self.id, entry, standby);
        new.identity = self.identity;
        new.recovery = self.recovery;
        new.exchanges = self.exchanges;
        new.complete = self.complete;
        new.signaling_sequence_id = self.signaling_sequence_id;
        new
    }

    /// Nothing is wanted of it any more: what it granted is cancelled.
    pub(super) fn let_go(&mut self, now: Instant) {
        for contract in &mut self.contracts {
            contract.want(now, false);
        }
        self.timers = TimerTable::default();
        self.schedule_negotiation();
    }

    /// It is not in the settings any more. What its packets told of our clock is kept.
    fn depart(&mut self, now: Instant) {
        self.stop_measuring();
        self.let_go(now);
        self.announced = None;
    }

    /// A CANCEL waits for its acknowledgement.
    pub(super) fn is_cancelling(&self) -> bool {
        self.contracts.iter().any(Contract::is_cancelling)
    }
}

fn take(associations: &mut Vec<Association>, address: IpAddr) -> Option<Association> {
    let place = associations.iter().position(|association| association.entry.address == address)?;
    Some(associations.remove(place))
}
