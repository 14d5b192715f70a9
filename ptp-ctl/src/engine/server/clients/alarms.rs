//! One alarm for each place of a table: setting, moving and ringing take the same time however many there are.
//!
//! A timing wheel of two levels. What is due within the present millisecond is in a heap, in order to the nanosecond;
//! what is due within a quarter of a second is in a slot of a millisecond; the rest is in slots of a quarter of a second,
//! for 18 minutes ahead. An alarm further ahead waits in the last slot and is looked at again when that comes.

use crate::engine::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// log2 of a near slot's width in ns: 1.05 ms.
const NEAR_WIDTH: u32 = 20;
/// log2 of how many near slots there are; together they are as wide as one far slot.
const NEAR_SLOTS: u32 = 8;
const FAR_SLOTS: u32 = 12;
const NEAR: usize = 1 << NEAR_SLOTS;
const FAR: usize = 1 << FAR_SLOTS;

/// No place.
const NONE: u32 = u32::MAX;
/// [`Link::previous`]: no alarm is set.
const UNSET: u32 = u32::MAX;
/// [`Link::previous`]: the alarm is in the heap.
const IN_HEAP: u32 = u32::MAX - 1;
/// [`Link::previous`] with this bit: the first of the slot in the other bits.
const FIRST: u32 = 1 << 31;

/// Where the alarm of a place is: a list for each slot runs through them.
#[derive(Clone, Copy, Debug)]
struct Link {
    at: Instant,
    previous: u32,
    next: u32,
}

impl Link {
    const UNSET: Self = Self { at: Instant::from_nanos(0), previous: UNSET, next: NONE };
}

/// The alarms of places 0 to 2^30.
#[derive(Debug)]
pub(super) struct Alarms {
    links: Vec<Link>,
    /// The first place of every slot: near slots, then far ones.
    first: Box<[u32]>,
    near_used: Bits<{ NEAR / 64 }>,
    far_used: Bits<{ FAR / 64 }>,
    /// Of the present near slot and before, by time. An entry that its place's link does not confirm is void.
    heap: BinaryHeap<Reverse<(Instant, u32)>>,
    /// The present near slot, counted from the clock's start.
    tick: u64,
}

impl Alarms {
    pub(super) fn new() -> Self {
        Self {
            links: Vec::new(),
            first: vec![NONE; NEAR + FAR].into_boxed_slice(),
            near_used: Bits::default(),
            far_used: Bits::default(),
            heap: BinaryHeap::new(),
            tick: 0,
        }
    }

    /// Sets or moves the alarm of a place.
    pub(super) fn set(&mut self, place: u32, at: Instant) {
        self.clear(place);
        if self.links.len() <= place as usize {
            self.links.resize(place as usize + 1, Link::UNSET);
        }
        self.insert(place, at);
    }

    /// When the alarm of a place rings.
    pub(super) fn get(&self, place: u32) -> Option<Instant> {
        self.links.get(place as usize).filter(|link| link.previous != UNSET).map(|link| link.at)
    }

    /// The place has no alarm any more.
    pub(super) fn clear(&mut self, place: u32) {
        let Some(link) = self.links.get_mut(place as usize) else { return };
        let Link { previous, next, .. } = std::mem::replace(link, Link::UNSET);
        if previous == UNSET || previous == IN_HEAP {
            return;
        }
        if previous & FIRST == 0 {
            self.links[previous as usize].next = next;
        } else {
            let slot = (previous & !FIRST) as usize;
            self.first[slot] = next;
            if next == NONE {
                self.mark(slot, false);
            }
        }
        if next != NONE {
            self.links[next as usize].previous = previous;
        }
    }

    /// Takes out the earliest alarm that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<u32> {
        self.advance(now);
        while let Some(&Reverse((at, place))) = self.heap.peek().filter(|Reverse((at, _))| *at <= now) {
            self.heap.pop();
            let link = &mut self.links[place as usize];
            if link.previous == IN_HEAP && link.at == at {
                *link = Link::UNSET;
                return Some(place);
            }
        }
        None
    }

    /// No alarm rings before that; one may ring then.
    pub(super) fn next(&self) -> Option<Instant> {
        if let Some(Reverse((at, _))) = self.heap.peek() {
            return Some(*at);
        }
        self.next_tick().map(|tick| Instant::from_nanos(tick << NEAR_WIDTH))
    }

    /// Moves all that is due within the millisecond of `now` into the heap.
    pub(super) fn advance(&mut self, now: Instant) {
        let target = now.as_nanos() >> NEAR_WIDTH;
        while self.tick < target {
            let Some(tick) = self.next_tick().filter(|tick| *tick <= target) else {
                self.tick = target;
                return;
            };
            self.tick = tick;
            if tick.is_multiple_of(NEAR as u64) {
                self.empty(NEAR + (tick >> NEAR_SLOTS) as usize % FAR);
            }
            self.empty(tick as usize % NEAR);
        }
    }

    /// The next near slot at which something must be moved.
    fn next_tick(&self) -> Option<u64> {
        let far = self.tick >> NEAR_SLOTS;
        let near_ahead =
            self.near_used.after(self.tick as usize % NEAR).map(|ahead| self.tick + ahead as u64);
        let far_ahead =
            self.far_used.after(far as usize % FAR).map(|ahead| (far + ahead as u64) << NEAR_SLOTS);
        near_ahead.into_iter().chain(far_ahead).min()
    }

    /// Puts every alarm of a slot where it belongs by now.
    fn empty(&mut self, slot: usize) {
        let mut place = std::mem::replace(&mut self.first[slot], NONE);
        self.mark(slot, false);
        while place != NONE {
            let Link { at, next, .. } = self.links[place as usize];
            self.insert(place, at);
            place = next;
        }
    }

    fn insert(&mut self, place: u32, at: Instant) {
        let tick = at.as_nanos() >> NEAR_WIDTH;
        if tick <= self.tick {
            self.heap.push(Reverse((at, place)));
            self.links[place as usize] = Link { at, previous: IN_HEAP, next: NONE };
            return;
        }
        let slot = if tick - self.tick < NEAR as u64 {
            tick as usize % NEAR
        } else {
            let far = self.tick >> NEAR_SLOTS;
            let ahead = ((tick >> NEAR_SLOTS) - far).min(FAR as u64 - 1);
            NEAR + (far + ahead) as usize % FAR
        };
        let next = std::mem::replace(&mut self.first[slot], place);
        self.links[place as usize] = Link { at, previous: FIRST | slot as u32, next };
        if next == NONE {
            self.mark(slot, true);
        } else {
            self.links[next as usize].previous = place;
        }
    }

    fn mark(&mut self, slot: usize, used: bool) {
        match slot.checked_sub(NEAR) {
            None => self.near_used.set(slot, used),
            Some(slot) => self.far_used.set(slot, used),
        }
    }
}

/// A ring of `64 * N` bits.
#[derive(Debug)]
struct Bits<const N: usize>(Box<[u64; N]>);

impl<const N: usize> Default for Bits<N> {
    fn default() -> Self {
        Self(Box::new([0; N]))
    }
}

impl<const N: usize> Bits<N> {
    fn set(&mut self, index: usize, value: bool) {
        let bit = 1 << (index % 64);
        if value {
            self.0[index / 64] |= bit;
        } else {
            self.0[index / 64] &= !bit;
        }
    }

    /// How far after `index` the next bit is that is set, once around the ring; the one at `index` itself is the last.
    fn after(&self, index: usize) -> Option<usize> {
        let (word, start) = (index / 64, index % 64 + 1);
        let rest = self.0[word].checked_shr(start as u32).unwrap_or(0);
        if rest != 0 {
            return Some(rest.trailing_zeros() as usize + 1);
        }
        let mut ahead = 64 - start + 1;
        for turned in 1..=N {
            let bits = self.0[(word + turned) % N];
            if bits != 0 {
                return Some(ahead + bits.trailing_zeros() as usize);
            }
            ahead += 64;
        }
        None
    }
}

#[cfg(test)]
mod tests;
