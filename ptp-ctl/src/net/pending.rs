//! TX tokens that wait for their stamps, matched by the kernel's count of packets sent (SOF_TIMESTAMPING_OPT_ID).

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Places for tokens made at start: more than most servers send in one time-out. It grows if need be.
const CAPACITY: usize = 1024;

/// The tokens of one socket.
pub(super) struct Pending<T> {
    /// One for each packet counted, without gaps: the packet with count `first` is at the front.
    slots: VecDeque<Slot<T>>,
    first: u32,
    stale: Option<Stale>,
    timeout: Duration,
}

struct Slot<T> {
    sent: Instant,
    state: State<T>,
}

enum State<T> {
    /// The stamp is owed to this token.
    Owed(T),
    /// Sent without a token; the kernel stamps it all the same.
    Unasked,
    /// Its stamp came while that of an earlier packet is still to come.
    Resolved,
}

/// Counts given before the counter was set back, whose stamps may still come and would match newer packets.
struct Stale {
    counts: Range<u64>,
    until: Instant,
}

/// What a stamp was worth.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Match<T> {
    /// It belongs to this token.
    Token(T),
    /// It belongs to a packet that was sent without a token.
    Unasked,
    /// Its token was given up before.
    Late,
    /// It belongs to no packet that we know of.
    Unknown,
}

impl<T> Pending<T> {
    /// For a socket whose counter stands at zero; a token is given up `timeout` after it was sent.
    pub(super) fn new(timeout: Duration) -> Self {
        Self::starting_at(0, timeout)
    }

    /// The same, for a counter that stands at `first`.
    pub(super) fn starting_at(first: u32, timeout: Duration) -> Self {
        Self { slots: VecDeque::with_capacity(CAPACITY), first, stale: None, timeout }
    }

    /// A packet was sent and counted.
    pub(super) fn push(&mut self, token: Option<T>, now: Instant) {
        let state = token.map_or(State::Unasked, State::Owed);
        self.slots.push_back(Slot { sent: now, state });
    }

    /// The stamp of the packet with this count has come.
    pub(super) fn take(&mut self, count: u32, now: Instant) -> Match<T> {
        if self.is_stale(count, now) {
            return Match::Unknown;
        }
        let index = count.wrapping_sub(self.first);
        let Some(slot) = self.slots.get_mut(index as usize) else {
            return if index > u32::MAX / 2 { Match::Late } else { Match::Unknown };
        };
        let found = match std::mem::replace(&mut slot.state, State::Resolved) {
            State::Owed(token) => Match::Token(token),
            State::Unasked => Match::Unasked,
            State::Resolved => Match::Unknown,
        };
        self.trim();
        found
    }

    /// The next token whose time is up.
    pub(super) fn expired(&mut self, now: Instant) -> Option<T> {
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            let given_up = self.pop();
            self.trim();
            if let Some(State::Owed(token)) = given_up {
                return Some(token);
            }
        }
        None
    }

    /// The kernel's counter was set back to zero: gives up all tokens, to `lost`.
    pub(super) fn reset(&mut self, now: Instant, mut lost: impl FnMut(T)) {
        let mut counts = u64::from(self.first)..u64::from(self.first) + self.slots.len() as u64;
        let mut until = now + self.timeout;
        if let Some(stale) = self.stale.take().filter(|stale| now < stale.until) {
            if counts.is_empty() {
                (counts, until) = (stale.counts, stale.until);
            } else {
                counts = counts.start.min(stale.counts.start)..counts.end.max(stale.counts.end);
            }
        }
        self.stale = (!counts.is_empty()).then_some(Stale { counts, until });
        self.first = 0;
        for slot in self.slots.drain(..) {
            if let State::Owed(token) = slot.state {
                lost(token);
            }
        }
    }

    /// When the oldest token is given up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.slots.front().map(|slot| slot.sent + self.timeout)
    }

    fn pop(&mut self) -> Option<State<T>> {
        let slot = self.slots.pop_front()?;
        self.first = self.first.wrapping_add(1);
        Some(slot.state)
    }

    /// The front is always a packet whose stamp is still to come: it sets the deadline.
    fn trim(&mut self) {
        while matches!(self.slots.front(), Some(Slot { state: State::Resolved, .. })) {
            self.pop();
        }
    }

    fn is_stale(&self, count: u32, now: Instant) -> bool {
        // A range that began before the 32-bit counter wrapped ends above 2^32.
        let (count, wrapped) = (u64::from(count), u64::from(count) + (1 << 32));
        self.stale.as_ref().is_some_and(|stale| {
            now < stale.until && (stale.counts.contains(&count) || stale.counts.contains(&wrapped))
        })
    }
}
