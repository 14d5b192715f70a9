//! What programs are told of the time: the page is written after every measurement, and with every heartbeat.

use super::driver::Driver;
use crate::clock::{TimePageWriter, monotonic_raw_nanos};
use crate::engine::client::{AnnouncedTime, KnownTime, State};
use ptp_common::abi::{TimePage, TimeState};
use ptp_common::time::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Over so long the rate of CLOCK_MONOTONIC_RAW is measured, at least and at most.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(16);
/// Measurements kept for it.
const KEPT: usize = 16;
/// The same before it was measured: as far as a counter that nobody steers is off, ppb.
const UNKNOWN_RATE_PPB: f64 = 500_000.0;
/// What its rate changes by within the time that a page is good for, ppb.
const WANDER_PPB: f64 = 20.0;
/// One, in the page's units of a rate.
const ONE: f64 = (1_u64 << 32) as f64;

/// The page, and what its numbers are made of.
pub(super) struct TimeKeeper {
    writer: TimePageWriter,
    track: Track,
    /// Of the server in use, or the last one.
    announced: Option<AnnouncedTime>,
    /// Said once.
    failed: bool,
}

impl TimeKeeper {
    pub(super) fn new(writer: TimePageWriter) -> Self {
        Self { writer, track: Track::default(), announced: None, failed: false }
    }

    /// `reading` is the local clock's when CLOCK_MONOTONIC_RAW read `raw_ns`, to within `window_ns`.
    fn tell(&mut self, known: Option<&KnownTime>, raw_ns: u64, reading: Timestamp, window_ns: u64) {
        let page = match known {
            Some(known) => self.page(known, raw_ns, reading, window_ns),
            None => TimePage { reference_ns: raw_ns, ..TimePage::default() },
        };
        if let Err(error) = self.writer.write(&page) {
            if !self.failed {
                tracing::warn!("the time page {} is not written: {error}", self.writer.path().display());
            }
            self.failed = true;
        }
    }

    fn page(&mut self, known: &KnownTime, raw_ns: u64, reading: Timestamp, window_ns: u64) -> TimePage {
        self.announced = known.announced.or(self.announced);
        let time = (reading + known.local_to_server).as_nanos() - known.offset_ns.round() as i128;
        let bound_ns = known.bound_ns + window_ns as f64;
        let rate = self.track.take(Mark { raw_ns, time_ns: time, bound_ns });
        TimePage {
            reference_ns: raw_ns,
            time_ns: i64::try_from(time).unwrap_or(i64::MAX),
            rate: (rate.ppb * 1e-9 * ONE).round() as i64,
            bound_ns: bound_ns.ceil() as u64,
            asymmetry_bound_ns: known.asymmetry_bound_ns.ceil() as u64,
            accuracy_ns: self.announced.and_then(|announced| announced.accuracy_ns),
            growth: (rate.bound_ppb * 1e-9 * ONE).ceil() as u64,
            offset_ns: known.offset_ns.round() as i64,
            state: match known.state {
                State::Locked => TimeState::Locked,
                State::Holdover => TimeState::Holdover,
                State::Acquiring | State::FreeRunning => TimeState::Measuring,
            },
            ptp_timescale: self.announced.is_some_and(|announced| announced.ptp_timescale),
            utc_offset: self.announced.and_then(|announced| announced.utc_offset),
        }
    }
}

/// CLOCK_MONOTONIC_RAW and the server's time, as known then.
#[derive(Clone, Copy, Debug)]
struct Mark {
    raw_ns: u64,
    time_ns: i128,
    bound_ns: f64,
}

/// How much faster the server's time runs than CLOCK_MONOTONIC_RAW, and a bound of that, ppb.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate {
    ppb: f64,
    bound_ppb: f64,
}

/// What was known, one mark a second, oldest first.
#[derive(Debug, Default)]
struct Track(VecDeque<Mark>);

impl Track {
    /// One more: the rate by it and the oldest that still counts.
    fn take(&mut self, mark: Mark) -> Rate {
        let gained = |from: &Mark| {
            let elapsed = mark.raw_ns.saturating_sub(from.raw_ns);
            (elapsed as f64, (mark.time_ns - from.time_ns - i128::from(elapsed)) as f64)
        };
        // Time has jumped: another server, another timescale.
        self.0.retain(|from| {
            let (elapsed, gained) = gained(from);
            let plausible = elapsed * UNKNOWN_RATE_PPB * 1e-9 + from.bound_ns + mark.bound_ns;
            gained.abs() <= plausible && elapsed <= LONGEST.as_nanos() as f64
        });
        let by = self.0.iter().find(|from| gained(from).0 >= SHORTEST.as_nanos() as f64).copied();
        if self.0.back().is_none_or(|last| gained(last).0 >= SHORTEST.as_nanos() as f64) {
            if self.0.len() == KEPT {
                self.0.pop_front();
            }
            self.0.push_back(mark);
        }
        by.map_or(Rate { ppb: 0.0, bound_ppb: UNKNOWN_RATE_PPB }, |from| {
            let (elapsed, gained) = gained(&from);
            let bound_ppb = (from.bound_ns + mark.bound_ns) / elapsed * 1e9 + WANDER_PPB;
            Rate { ppb: gained / elapsed * 1e9, bound_ppb: bound_ppb.min(UNKNOWN_RATE_PPB) }
        })
    }
}

impl Driver {
    /// Writes what is known of the time now.
    pub(super) fn tell_time(&mut self) {
        let Some(client) = self.role.client() else { return };
        let Some(keeper) = &mut self.time_page else { return };
        let before = monotonic_raw_nanos();
        let now = self.monotonic.now().instant;
        // A clock that cannot be read: the page grows old, and its readers notice.
        let Ok(reading) = self.clock.now() else { return };
        let window_ns = monotonic_raw_nanos().saturating_sub(before);
        keeper.tell(client.known_time(now).as_ref(), before + window_ns / 2, reading, window_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn mark(seconds: u64, gained: i128) -> Mark {
        let raw_ns = seconds * SECOND;
        Mark { raw_ns, time_ns: i128::from(raw_ns) + gained, bound_ns: 500.0 }
    }

    #[test]
    fn the_rate_is_measured_over_a_while_and_knows_its_bound() {
        let mut track = Track::default();
        assert_eq!(track.take(mark(10, 5)), Rate { ppb: 0.0, bound_ppb: UNKNOWN_RATE_PPB });
        for second in 1..10 {
            let gained = 5 + 20_000 * i128::from(second);
            let rate = track.take(mark(10 + second, gained));
            assert!((rate.ppb - 20_000.0).abs() < 1e-6, "{rate:?}");
            let bound = 1_000.0 / second as f64 + WANDER_PPB;
            assert!((rate.bound_ppb - bound).abs() < 1e-6, "{rate:?}");
        }
        // Only the last seconds count.
        let rate = track.take(mark(10 + 30, 600_005));
        assert_eq!(rate.bound_ppb, UNKNOWN_RATE_PPB);
    }

    #[test]
    fn a_jump_of_time_begins_anew() {
        let mut track = Track::default();
        track.take(mark(10, 0));
        assert!(track.take(mark(12, 0)).bound_ppb < 1_000.0);
        let jumped = track.take(mark(14, 37_000_000_000));
        assert_eq!(jumped.bound_ppb, UNKNOWN_RATE_PPB);
        assert!(track.take(mark(16, 37_000_000_000)).bound_ppb < 1_000.0);
    }

    fn known(state: State, announced: Option<AnnouncedTime>) -> KnownTime {
        KnownTime {
            state,
            has_server: announced.is_some(),
            local_to_server: ptp_common::time::Interval::from_secs(37),
            offset_ns: -250.0,
            bound_ns: 99.5,
            asymmetry_bound_ns: 10_000.0,
            announced,
        }
    }

    #[test]
    fn the_page_keeps_what_the_last_server_announced() {
        let directory = tempfile::tempdir().unwrap();
        let writer = TimePageWriter::open(&directory.path().join("time")).unwrap();
        let mut keeper = TimeKeeper::new(writer);
        let announced = AnnouncedTime {
            accuracy_ns: Some(100),
            ptp_timescale: true,
            utc_offset: Some(37),
            leap59: false,
            leap61: false,
        };
        let reading = Timestamp::from_nanos(1_000 * SECOND);
        let page = keeper.page(&known(State::Locked, Some(announced)), 7, reading, 10);
        assert_eq!(page.time_ns, 1_037 * SECOND as i64 + 250);
        assert_eq!((page.bound_ns, page.asymmetry_bound_ns, page.accuracy_ns), (110, 10_000, Some(100)));
        assert_eq!((page.state, page.utc_offset), (TimeState::Locked, Some(37)));
        let page = keeper.page(&known(State::Holdover, None), 8, reading, 10);
        assert_eq!(
            (page.state, page.accuracy_ns, page.ptp_timescale),
            (TimeState::Holdover, Some(100), true)
        );
    }
}
