//! When each client's Sync and Announce are due: by its place in the table.
//!
//! Every grant of one interval is a bit in one bitmap, and time goes over the bitmap at the speed at which it is through
//! in one interval. So a client is served at equal distances, whoever comes and goes, and nothing is sorted or searched.
//! Places come from a hash, so that those in use lie evenly, however many they are, as chance has it.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, fence};

/// Steps of time in a second: the shortest interval has 8 of them, and each has a whole number. More would cost more: the
/// kernel makes and unmakes a pool of pages in every run, which takes as long as 200 messages.
pub(super) const SLOTS_PER_SEC: u64 = 1 << LOG_SLOTS;
const LOG_SLOTS: i32 = 10;
/// logInterMessagePeriod of the first and the last bitmap of a service: 128/s, and 1 in 64 s.
const LOG_INTERVALS: std::ops::RangeInclusive<i8> = -7..=6;
const CLASSES: usize = 14;

/// Everyone who is sent something.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// Announce and Sync, by interval.
    classes: [[Class; CLASSES]; 2],
    entries: u32,
}

#[derive(Debug)]
struct Class {
    members: AtomicU32,
    bits: Vec<AtomicU64>,
}

impl Class {
    fn new(entries: u32) -> Self {
        let words = entries.div_ceil(u64::BITS) as usize;
        Self { members: AtomicU32::new(0), bits: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Schedule {
    /// Of a table with that many entries.
    pub(super) fn new(entries: u32) -> Self {
        let class = |_| Class::new(entries);
        Self { classes: [std::array::from_fn(class), std::array::from_fn(class)], entries }
    }

    /// Sends a service to the client at `index` from now on. An interval that is out of range is the nearest.
    pub(crate) fn add(&self, index: u32, service: usize, log_interval: i8) {
        let (class, word, bit) = self.place(index, service, log_interval);
        if word.fetch_or(bit, Relaxed) & bit == 0 {
            class.members.fetch_add(1, Relaxed);
        }
    }

    /// Sends it no more. Harmless if it was not sent.
    pub(crate) fn remove(&self, index: u32, service: usize, log_interval: i8) {
        let (class, word, bit) = self.place(index, service, log_interval);
        if word.fetch_and(!bit, Relaxed) & bit != 0 {
            class.members.fetch_sub(1, Relaxed);
        }
    }

    /// Is there anyone?
    pub(super) fn is_empty(&self) -> bool {
        self.classes.iter().flatten().all(|class| class.members.load(Relaxed) == 0)
    }

    /// Tells index and service of each message that is due in a slot.
    pub(super) fn due(&self, slot: u64, mut f: impl FnMut(u32, usize)) {
        fence(std::sync::atomic::Ordering::Acquire);
        for (service, classes) in self.classes.iter().enumerate() {
            for (log_interval, class) in LOG_INTERVALS.zip(classes) {
                if class.members.load(Relaxed) > 0 {
                    let slots = 1_u64 << (LOG_SLOTS + i32::from(log_interval));
                    let position = slot & (slots - 1);
                    let at = |position: u64| (u64::from(self.entries) * position / slots) as u32;
                    members(&class.bits, at(position)..at(position + 1), |index| f(index, service));
                }
            }
        }
    }

    /// Tells the index of everyone with a service.
    pub(super) fn everyone(&self, service: usize, mut f: impl FnMut(u32)) {
        for class in &self.classes[service] {
            if class.members.load(Relaxed) > 0 {
                members(&class.bits, 0..self.entries, &mut f);
            }
        }
    }

    fn place(&self, index: u32, service: usize, log_interval: i8) -> (&Class, &AtomicU64, u64) {
        let log_interval = log_interval.clamp(*LOG_INTERVALS.start(), *LOG_INTERVALS.end());
        let class = &self.classes[service][(log_interval - LOG_INTERVALS.start()) as usize];
        (class, &class.bits[(index / u64::BITS) as usize], 1 << (index % u64::BITS))
    }
}

/// The set bits in a range.
fn members(bits: &[AtomicU64], range: std::ops::Range<u32>, mut f: impl FnMut(u32)) {
    if range.is_empty() {
        return;
    }
    let (first, last) = (range.start / u64::BITS, (range.end - 1) / u64::BITS);
    for number in first..=last {
        let mut word = bits[number as usize].load(Relaxed);
        if number == first {
            word &= u64::MAX << (range.start % u64::BITS);
        }
        if number == last {
            word &= u64::MAX >> (u64::BITS - 1 - (range.end - 1) % u64::BITS);
        }
        while word != 0 {
            f(number * u64::BITS + word.trailing_zeros());
            word &= word - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const SYNC: usize = 1;
    const ANNOUNCE: usize = 0;

    #[test]
    fn everyone_is_served_at_equal_distances() {
        let schedule = Schedule::new(1000);
        let services = [(1, SYNC, -7), (1, ANNOUNCE, 1), (500, SYNC, 0), (999, SYNC, -3), (64, ANNOUNCE, 4)];
        for (index, service, log_interval) in services {
            schedule.add(index, service, log_interval);
            // A renewal changes nothing.
            schedule.add(index, service, log_interval);
        }
        let mut sent: HashMap<(u32, usize), Vec<u64>> = HashMap::new();
        for slot in 12_345..12_345 + 64 * SLOTS_PER_SEC {
            schedule.due(slot, |index, service| sent.entry((index, service)).or_default().push(slot));
        }
        for (index, service, log_interval) in services {
            let interval = 1_u64 << (LOG_SLOTS + i32::from(log_interval));
            let slots = &sent[&(index, service)];
            assert_eq!(slots.len() as u64, 64 * SLOTS_PER_SEC / interval);
            assert!(slots.windows(2).all(|pair| pair[1] - pair[0] == interval));
            schedule.remove(index, service, log_interval);
        }
        assert!(schedule.is_empty());
    }

    proptest! {
        #[test]
        fn a_range_is_told_bit_by_bit(set in prop::collection::btree_set(0_u32..300, 0..40), a in 0_u32..300, b in 0_u32..300) {
            let class = Class::new(300);
            for index in &set {
                class.bits[(index / 64) as usize].fetch_or(1 << (index % 64), Relaxed);
            }
            let range = a.min(b)..a.max(b);
            let mut found = Vec::new();
            members(&class.bits, range.clone(), |index| found.push(index));
            prop_assert_eq!(found, set.range(range).copied().collect::<Vec<_>>());
        }
    }
}
