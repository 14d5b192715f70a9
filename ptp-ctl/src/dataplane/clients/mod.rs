//! The table of a server's clients, which the program reads while it is written: see [`abi::Client`].

mod entry;

#[cfg(test)]
mod tests;

use super::error::DataPlaneError;
use super::mapping::Mapping;
use aya::maps::MapData;
use ptp_common::abi::{self, Client, PROBES, names};
use std::ops::Deref;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// Who a client is: its address, IPv4-mapped, and its `sourcePortIdentity`.
pub(super) type Key = ([u8; 16], [u8; 10]);

/// The key of an entry that was never in use: look-ups end there.
const VACANT: Key = ([0; 16], [0; 10]);
/// The key of an entry whose client is gone: look-ups go on behind it.
const GONE: Key = ([0; 16], [0xff; 10]);

/// The map, and how many are in it. `M` is memory that the program shares.
#[derive(Debug)]
pub(super) struct Clients<M = Mapping> {
    clients: M,
    homes: u32,
    hash_seed: u64,
    count: u32,
}

impl Clients {
    /// Over the map; `config` is what the program was told of it.
    pub(super) fn of(clients: &MapData, config: &abi::Config) -> Result<Self, DataPlaneError> {
        let clients = Mapping::of(clients, names::CLIENTS, size_of::<Client>())?;
        if clients.entries() < config.homes + PROBES {
            return Err(DataPlaneError::BadObject(format!("{} is too small", names::CLIENTS)));
        }
        Ok(Self::over(clients, config))
    }
}

impl<M: Deref<Target = [AtomicU32]>> Clients<M> {
    fn over(clients: M, config: &abi::Config) -> Self {
        let mut table = Self { clients, homes: config.homes, hash_seed: config.hash_seed, count: 0 };
        // Somebody else may have filled it.
        table.count = table.iter().count() as u32;
        table
    }

    /// Most clients that there is room for.
    pub(super) fn capacity(&self) -> u32 {
        self.homes.div_ceil(2)
    }

    /// Entries of the map.
    pub(super) fn entries(&self) -> u32 {
        self.homes + PROBES
    }

    /// The client's entry as it is now.
    pub(super) fn get(&self, index: u32) -> Client {
        entry::load(self.words(index))
    }

    /// Where the client is.
    pub(super) fn find(&self, key: &Key) -> Option<u32> {
        self.look_up(key).ok()
    }

    /// Where the client is, from now on if it was not in the table.
    pub(super) fn insert(&mut self, key: &Key) -> Result<u32, DataPlaneError> {
        let vacancy = match self.look_up(key) {
            Ok(index) => return Ok(index),
            Err(vacancy) => vacancy.filter(|_| self.count < self.capacity()),
        };
        let index = vacancy.ok_or(DataPlaneError::Full { map: names::CLIENTS, capacity: self.capacity() })?;
        let (address, port_identity) = *key;
        entry::store(self.words(index), &Client { address, port_identity, ..entry::EMPTY });
        self.count += 1;
        Ok(index)
    }

    /// Changes the client's entry, those of its words that the change is about.
    pub(super) fn update(&self, index: u32, change: impl FnOnce(&mut Client)) {
        let before = self.get(index);
        let mut after = before;
        change(&mut after);
        entry::store_changes(self.words(index), &before, &after);
    }

    /// Forgets the client.
    pub(super) fn remove(&mut self, key: &Key) {
        let Some(index) = self.find(key) else { return };
        self.update(index, |client| client.expires = [0; 3]);
        self.count -= 1;
        // Those behind it may have found it in use.
        if index + 1 < self.entries() && self.key(index + 1) != VACANT {
            self.set_key(index, GONE);
            return;
        }
        self.set_key(index, VACANT);
        for before in (0..index).rev().take_while(|&before| self.key(before) == GONE) {
            self.set_key(before, VACANT);
        }
    }

    /// Everyone in the table, with the entry's index.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, Client)> {
        let (entries, _) = self.clients.as_chunks::<{ entry::WORDS }>();
        let in_use = entries.iter().zip(0..).filter(|(words, _)| !entry::is_nobodys(*words));
        in_use.map(|(words, index)| (index, entry::load(words)))
    }

    /// Forgets everyone.
    pub(super) fn clear(&mut self) {
        for word in self.clients.iter().filter(|word| word.load(Relaxed) != 0) {
            word.store(0, Relaxed);
        }
        self.count = 0;
    }

    fn hash(&self, (address, port_identity): &Key) -> u64 {
        let (words, _) = address.as_chunks();
        let [identity @ .., a, b] = *port_identity;
        abi::hash(
            self.hash_seed,
            [u64::from_ne_bytes(words[0]), u64::from_ne_bytes(words[1])],
            u64::from_ne_bytes(identity),
            u16::from_ne_bytes([a, b]),
        )
    }

    /// Where the client is, or else the first entry that may become its.
    fn look_up(&self, key: &Key) -> Result<u32, Option<u32>> {
        let home = abi::home(self.hash(key), self.homes);
        let mut free = None;
        for index in home..home + PROBES {
            match self.key(index) {
                found if found == *key => return Ok(index),
                VACANT => return Err(free.or(Some(index))),
                GONE => free = free.or(Some(index)),
                _ => {}
            }
        }
        Err(free)
    }

    fn key(&self, index: u32) -> Key {
        entry::key(self.words(index))
    }

    fn set_key(&self, index: u32, (address, port_identity): Key) {
        self.update(index, |client| (client.address, client.port_identity) = (address, port_identity));
    }

    fn words(&self, index: u32) -> &[AtomicU32] {
        &self.clients[index as usize * entry::WORDS..][..entry::WORDS]
    }
}
