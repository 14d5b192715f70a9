//! How many packets get lost on the way from a server, and how long silence must last to mean more than that.

use crate::engine::Instant;
use std::time::Duration;

/// Packets that the memory of either kind holds: the short one sees losses begin, the long one knows them well.
const MEMORY: [f64; 2] = [30.0, 300.0];
/// What is assumed before anything was seen: so many packets lost, of so many.
const PRIOR: [f64; 2] = [0.05, 20.0];
/// The true share may be larger than what was seen by this factor.
const CAUTION: f64 = 1.15;
/// More cannot be told from a server that is gone.
const LARGEST_SHARE: f64 = 0.7;
/// Losses alone make so long a silence once in this time, s: 30 days.
const BETWEEN_FALSE_ALARMS: f64 = 30.0 * 86_400.0;
/// A message that comes after so many others, by its number or by the time, belongs to another life of the server.
const LONGEST_GAP: u32 = 64;

/// The share of packets that are lost, by those that came and those that are missing among them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loss {
    /// Lost and sent, by [`MEMORY`].
    seen: [(f64, f64); 2],
}

impl Loss {
    /// A message came, and so many before it did not.
    pub(super) fn record(&mut self, lost: u32) {
        for ((lost_before, sent), memory) in self.seen.iter_mut().zip(MEMORY) {
            let (now_lost, now_sent) = (f64::from(lost), f64::from(lost) + 1.0);
            let keep = (1.0 - 1.0 / memory).powf(now_sent);
            *lost_before = *lost_before * keep + now_lost;
            *sent = *sent * keep + now_sent;
        }
    }

    /// The share that is lost, 0 to 1; rather more than less.
    pub(super) fn share(&self) -> f64 {
        let share = |(lost, sent): (f64, f64)| CAUTION * (lost + PRIOR[0]) / (sent + PRIOR[1]);
        self.seen.map(share).into_iter().fold(0.0, f64::max).min(LARGEST_SHARE)
    }

    /// So many messages in a row must be missing, one being due every `interval`, to mean that no more will come.
    /// `least` at the least.
    pub(super) fn threshold(&self, least: u8, interval: Duration) -> u32 {
        let once = interval.as_secs_f64() / BETWEEN_FALSE_ALARMS;
        let needed = once.ln() / self.share().ln();
        (needed.ceil() as u32).max(least.into())
    }
}

/// The numbers and times of one kind of message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stream {
    last: Option<(u16, Instant)>,
}

impl Stream {
    /// A message came: how many before it are missing. `None` if it is an old one, or the first of a server's life.
    ///
    /// Both its number and the time must say that messages are missing. A server may count all that it sends to
    /// anybody, and it may send less often than it said.
    pub(super) fn gap(&mut self, now: Instant, sequence_id: u16, interval: Duration) -> Option<u32> {
        let Some((last, at)) = self.last else {
            self.last = Some((sequence_id, now));
            return None;
        };
        let ahead = sequence_id.wrapping_sub(last);
        let behind = last.wrapping_sub(sequence_id);
        if u32::from(behind) <= LONGEST_GAP {
            return None;
        }
        self.last = Some((sequence_id, now));
        let missing = u32::from(ahead) - 1;
        let due = (now.since(at).as_secs_f64() / interval.as_secs_f64()).round() as u32;
        (missing <= LONGEST_GAP).then_some(missing.min(due.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests;
