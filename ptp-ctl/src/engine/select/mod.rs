//! Which server to follow: the alternate BTCA of G.8275.2 among those that can be followed.

mod majority;

pub use majority::{Span, majority};

use super::config::Select;
use ptp_common::wire::{Announce, ClockIdentity};

/// What decides between two usable servers; the lower is the better one (G.8275.2, 6.7: quality first, then the local
/// priority, then distance and identity as tie breakers), or the local priority before all of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// The local priority where it comes first, else the same for all.
    first: u8,
    clock_class: u8,
    clock_accuracy: u8,
    offset_scaled_log_variance: u16,
    priority2: u8,
    local_priority: u8,
    steps_removed: u16,
    grandmaster_identity: ClockIdentity,
}

impl Rank {
    /// The rank of a server that announces this.
    pub fn new(announce: &Announce, local_priority: u8, select: Select) -> Self {
        let quality = announce.grandmaster_clock_quality;
        Self {
            first: if select == Select::Priority { local_priority } else { 0 },
            clock_class: quality.clock_class,
            clock_accuracy: quality.clock_accuracy,
            offset_scaled_log_variance: quality.offset_scaled_log_variance,
            priority2: announce.grandmaster_priority2,
            local_priority,
            steps_removed: announce.steps_removed,
            grandmaster_identity: announce.grandmaster_identity,
        }
    }
}

/// A server that can be followed.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Its place in the configuration.
    pub index: usize,
    /// How good it is.
    pub rank: Rank,
    /// It was lost and has not yet served for the wait-to-restore time.
    pub restoring: bool,
}

/// The server to follow, of those that can be followed; `None` when there are none.
///
/// A restoring server is taken only when nothing else serves. The one in use counts as restored: it is left for a
/// better one, never for its own past.
pub fn choose(candidates: impl Iterator<Item = Candidate>, current: Option<usize>) -> Option<usize> {
    candidates
        .min_by_key(|candidate| {
            let restoring = candidate.restoring && Some(candidate.index) != current;
            (restoring, candidate.rank, candidate.index)
        })
        .map(|candidate| candidate.index)
}

#[cfg(test)]
mod tests;
