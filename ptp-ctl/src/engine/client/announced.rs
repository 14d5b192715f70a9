//! What a server announces, as far as it concerns its client.

use crate::engine::event::Reason;
use crate::engine::path::PathSequence;
use ptp_common::wire::{Announce, ClockIdentity, ClockQuality, Flags, Message};

/// What a server announces, as far as it concerns its client.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Announced {
    pub(super) announce: Announce,
    pub(super) flags: Flags,
    /// pathSequence; empty without PATH_TRACE.
    pub(super) path: PathSequence,
    /// Why nobody may follow it.
    pub(super) refused: Option<Reason>,
    /// It is its own grandmaster, and its clock free-running: its time is nobody's, and may become anybody's.
    free_running: bool,
}

impl Announced {
    /// `announce` is the body of `message`; `own` is our clockIdentity.
    pub(super) fn new(
        message: &Message<'_>,
        announce: Announce,
        own: ClockIdentity,
        max_steps_removed: u16,
    ) -> Self {
        let path = PathSequence::of(message);
        // The time of somebody who follows us is our own (IEEE 1588-2019, 9.3.2.5 and 16.2.4).
        let refused = if announce.grandmaster_identity == own || path.contains(own) {
            Some(Reason::TimingLoop)
        } else if announce.steps_removed >= max_steps_removed {
            Some(Reason::StepsRemoved)
        } else {
            None
        };
        let free_running = announce.grandmaster_clock_quality.clock_class >= ClockQuality::DEFAULT_CLASS
            && announce.grandmaster_identity == message.header.source_port_identity.clock_identity;
        Self { announce, flags: message.header.flags, path, refused, free_running }
    }

    /// Between these two announcements of one server it has found a time to follow: what was measured of it before is of another.
    pub(super) fn has_found_its_time(&self, before: &Self) -> bool {
        before.free_running && !self.free_running
    }

    pub(super) fn ptp_timescale(&self) -> bool {
        self.flags.contains(Flags::PTP_TIMESCALE)
    }

    pub(super) fn current_utc_offset(&self) -> Option<i16> {
        self.flags.contains(Flags::CURRENT_UTC_OFFSET_VALID).then_some(self.announce.current_utc_offset)
    }
}
