//! What came from whom a moment ago.

use super::clients::Key;
use crate::engine::Instant;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Places; a client may push another out of its one. What is lost with it is a protection, never a service.
const PLACES: usize = 1024;
/// Messages overtake one another by no more than that; a client that is started again takes longer.
const OVERTAKING: Duration = Duration::from_millis(100);
/// And not more of them.
const OVERTAKERS: u16 = 16;
/// A client without a grant is told so at most so often.
const REMINDERS: Duration = Duration::from_secs(1);
/// And all of them together so many times in that time.
const MOST_REMINDERS: u32 = 100;

/// The memory.
#[derive(Debug)]
pub(super) struct Recent {
    places: Vec<Option<Trace>>,
    /// Reminders since then.
    reminders: (Instant, u32),
}

#[derive(Clone, Copy, Debug)]
struct Trace {
    key: Key,
    /// The Signaling message with the highest sequenceId.
    signaling: Option<(Instant, u16)>,
    /// Not to be reminded before then.
    remind_from: Instant,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self { places: vec![None; PLACES], reminders: (Instant::default(), 0) }
    }

    /// A Signaling message came. False if a later one has come before it: what it says is not true any more.
    pub(super) fn is_in_order(&mut self, now: Instant, key: Key, sequence_id: u16) -> bool {
        let trace = self.trace(key);
        if let Some((at, last)) = trace.signaling
            && now.since(at) < OVERTAKING
            && (1..=OVERTAKERS).contains(&last.wrapping_sub(sequence_id))
        {
            return false;
        }
        trace.signaling = Some((now, sequence_id));
        true
    }

    /// Whether this client shall be told that it has no grant.
    pub(super) fn may_remind(&mut self, now: Instant, key: Key) -> bool {
        let (since, count) = self.reminders;
        let (since, count) = if now.since(since) < REMINDERS { (since, count) } else { (now, 0) };
        let trace = self.trace(key);
        if count == MOST_REMINDERS || now < trace.remind_from {
            return false;
        }
        trace.remind_from = now + REMINDERS;
        self.reminders = (since, count + 1);
        true
    }

    fn trace(&mut self, key: Key) -> &mut Trace {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let place = &mut self.places[hasher.finish() as usize % PLACES];
        let new = Trace { key, signaling: None, remind_from: Instant::default() };
        let trace = place.get_or_insert(new);
        if trace.key != key {
            *trace = new;
        }
        trace
    }
}
