//! What is known of the true time, for those who ask for it with its bound.

use super::announced::Announced;
use super::{Client, State};
use crate::engine::Instant;
use ptp_common::time::Interval;
use ptp_common::wire::Flags;

/// The local clock against the server in use, or in holdover against the last one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnownTime {
    /// Where the client stands.
    pub state: State,
    /// A server is in use.
    pub has_server: bool,
    /// What brings a reading of the local clock into the server's timescale, before the offset is taken off.
    pub local_to_server: Interval,
    /// Local clock minus the server's time, ns.
    pub offset_ns: f64,
    /// 99 % bound of that if the shortest delays of both directions are equal, ns.
    pub bound_ns: f64,
    /// What unequal delays can add to it, ns.
    pub asymmetry_bound_ns: f64,
    /// What the server announces of its time; `None` of one that is lost.
    pub announced: Option<AnnouncedTime>,
}

/// What a server announces of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnouncedTime {
    /// The grandmaster's clockAccuracy as ns; `None` where that is unknown.
    pub accuracy_ns: Option<u64>,
    /// ptpTimescale: it serves TAI.
    pub ptp_timescale: bool,
    /// currentUtcOffset where currentUtcOffsetValid is set, s.
    pub utc_offset: Option<i16>,
    /// leap59: the last minute of the UTC day has 59 seconds.
    pub leap59: bool,
    /// leap61: it has 61.
    pub leap61: bool,
}

impl Client {
    /// What is known at `now`; `None` before the first server.
    pub fn known_time(&self, now: Instant) -> Option<KnownTime> {
        let reference = self.reference?;
        let (_, estimate) = self.reference_estimate(now)?;
        let announced = self.associations[reference.index].announced.as_ref();
        Some(KnownTime {
            state: self.state,
            has_server: self.selected.is_some(),
            local_to_server: reference.local_to_server,
            offset_ns: estimate.offset_ns,
            bound_ns: estimate.bound_ns,
            asymmetry_bound_ns: self.asymmetry_bound_ns(&estimate),
            announced: announced.map(Announced::time),
        })
    }

    /// What the server in use announces; `None` without one.
    pub fn announced_time(&self) -> Option<AnnouncedTime> {
        self.associations[self.selected?].announced.as_ref().map(Announced::time)
    }
}

impl Announced {
    fn time(&self) -> AnnouncedTime {
        AnnouncedTime {
            accuracy_ns: self.announce.grandmaster_clock_quality.accuracy_ns(),
            ptp_timescale: self.ptp_timescale(),
            utc_offset: self.current_utc_offset(),
            leap59: self.flags.contains(Flags::LEAP_59),
            leap61: self.flags.contains(Flags::LEAP_61),
        }
    }
}
