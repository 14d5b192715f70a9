//! The table of a server's clients, which the program reads while it is written: see [`abi::Client`].

mod entry;

#[cfg(test)]
mod tests;

use super::error::DataPlaneError;
use super::mapping::Mapping;
use aya::maps::MapData;
use ptp_common::abi::{self, Bucket, Client, PLACES, PROBES, TOMBSTONE, names};
use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Who a client is: its address, IPv4-mapped, and its `sourcePortIdentity`.
pub(super) type Key = ([u8; 16], [u8; 10]);

/// Both maps, and which entries are free. `M` is memory that the program shares.
#[derive(Debug)]
pub(super) struct Clients<M = Mapping> {
    clients: M,
    buckets: M,
    bucket_count: u32,
    hash_seed: u64,
    /// Entries, entry 0 included.
    entries: u32,
    /// Those of clients that are gone, in the order in which they went: the program may still look at the last ones.
    free: VecDeque<u32>,
    /// The others are handed out in the order of their numbers' bits read backwards, so that those in use always lie
    /// evenly (see `fan_out::schedule`). That many numbers were gone through.
    step: u32,
    /// Entries that were in use once: a bit for each.
    seen: Vec<u64>,
}

impl Clients {
    /// Over the two maps; `config` is what the program was told of them.
    pub(super) fn of(
        clients: &MapData,
        buckets: &MapData,
        config: &abi::Config,
    ) -> Result<Self, DataPlaneError> {
        let clients = Mapping::of(clients, names::CLIENTS, size_of::<Client>())?;
        let buckets = Mapping::of(buckets, names::BUCKETS, size_of::<Bucket>())?;
        if buckets.entries() < config.buckets + PROBES {
            return Err(DataPlaneError::BadObject(format!("{} is too small", names::BUCKETS)));
        }
        let entries = clients.entries();
        Ok(Self::over(clients, buckets, entries, config))
    }
}

impl<M: Deref<Target = [AtomicU32]>> Clients<M> {
    fn over(clients: M, buckets: M, entries: u32, config: &abi::Config) -> Self {
        let mut table = Self {
            clients,
            buckets,
            bucket_count: config.buckets,
            hash_seed: config.hash_seed,
            entries,
            free: VecDeque::new(),
            step: 0,
            seen: vec![0; entries.div_ceil(u64::BITS) as usize],
        };
        // Somebody else may have filled it.
        let taken: Vec<u32> = table.indices().collect();
        for index in taken {
            table.see(index);
        }
        table
    }

    /// Most clients that there is room for.
    pub(super) fn capacity(&self) -> u32 {
        self.entries - 1
    }

    /// The client's entry as it is now.
    pub(super) fn get(&self, index: u32) -> Client {
        entry::load(self.words(index))
    }

    /// Where the client is.
    pub(super) fn find(&self, key: &Key) -> Option<u32> {
        self.locate(key).map(|(index, _)| index)
    }

    /// Where the client is, from now on if it was not in the table.
    pub(super) fn insert(&mut self, key: &Key) -> Result<u32, DataPlaneError> {
        if let Some(index) = self.find(key) {
            return Ok(index);
        }
        let full = DataPlaneError::Full { map: names::CLIENTS, capacity: self.capacity() };
        let hash = self.hash(key);
        let Some(place) = self.vacancy(hash) else { return Err(full) };
        let Some(index) = self.free.pop_front().or_else(|| self.next_unused()) else { return Err(full) };
        let (address, port_identity) = *key;
        entry::store(self.words(index), &Client { address, port_identity, ..entry::EMPTY });
        // Who finds the place finds the entry complete.
        self.buckets[place].store(abi::place(hash, index), Release);
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
        let Some((index, place)) = self.locate(key) else { return };
        self.update(index, |client| client.expires = [0; 3]);
        let bucket = &self.buckets[place / PLACES * PLACES..][..PLACES];
        match bucket.iter().position(|place| place.load(Relaxed) == 0) {
            // Clients of this bucket may be behind it: it must go on looking full.
            None => self.buckets[place].store(TOMBSTONE, Relaxed),
            Some(end) => {
                let last = &bucket[end - 1];
                self.buckets[place].store(last.load(Relaxed), Relaxed);
                last.store(0, Release);
            }
        }
        self.free.push_back(index);
    }

    /// Everyone in the table, with the entry's index.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, Client)> {
        self.indices().map(|index| (index, self.get(index)))
    }

    /// Forgets everyone.
    pub(super) fn clear(&mut self) {
        for word in self.buckets.iter().chain(&*self.clients).filter(|word| word.load(Relaxed) != 0) {
            word.store(0, Relaxed);
        }
        (self.step, self.free) = (0, VecDeque::new());
        self.seen.fill(0);
    }

    /// Entries that are named by a place.
    fn indices(&self) -> impl Iterator<Item = u32> {
        let mask = abi::MAX_CLIENTS;
        self.buckets.iter().map(move |place| place.load(Acquire) & mask).filter(|index| *index != 0)
    }

    /// An entry that was not in use yet.
    fn next_unused(&mut self) -> Option<u32> {
        let bits = u32::BITS - (self.entries - 1).leading_zeros();
        while self.step < 1 << bits {
            let index = self.step.reverse_bits().checked_shr(u32::BITS - bits).unwrap_or(0);
            self.step += 1;
            if (1..self.entries).contains(&index) && self.see(index) {
                return Some(index);
            }
        }
        None
    }

    /// True if the entry was not in use before.
    fn see(&mut self, index: u32) -> bool {
        let Some(word) = self.seen.get_mut((index / u64::BITS) as usize) else { return false };
        let bit = 1 << (index % u64::BITS);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
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

    /// The entry, and the place that names it.
    fn locate(&self, key: &Key) -> Option<(u32, usize)> {
        let hash = self.hash(key);
        let (address, port_identity) = key;
        for place in self.probes(hash) {
            let found = self.buckets[place].load(Acquire);
            if found == 0 {
                return None;
            }
            if let Some(index) = abi::client_of(found, hash).filter(|index| (1..self.entries).contains(index))
            {
                let client = self.get(index);
                if client.address == *address && client.port_identity == *port_identity {
                    return Some((index, place));
                }
            }
        }
        None
    }

    fn vacancy(&self, hash: u64) -> Option<usize> {
        self.probes(hash).find(|&place| matches!(self.buckets[place].load(Relaxed), 0 | TOMBSTONE))
    }

    /// Words of the buckets in which a client of this hash may be, in order.
    fn probes(&self, hash: u64) -> std::ops::Range<usize> {
        let first = abi::bucket(hash, self.bucket_count) as usize * PLACES;
        first..first + PROBES as usize * PLACES
    }

    fn words(&self, index: u32) -> &[AtomicU32] {
        &self.clients[index as usize * entry::WORDS..][..entry::WORDS]
    }
}
