//! What the loop does by the clock, and how often.

use super::notify;
use super::system_clock;
use super::timer::Periodic;
use crate::engine::Instant;
use std::time::Duration;

/// How often the XDP program hears of us: it takes packets for 2 s after the last time.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How often it is looked whether all is still as it was at start.
const REFRESH: Duration = Duration::from_secs(1);
/// How often it is looked whether somebody else moved the clock.
const GUARD: Duration = Duration::from_millis(250);
/// How often the clock's frequency is stored.
const STORE: Duration = Duration::from_secs(60);
/// How often a virtual clock's true error is told.
const CLOCK_LINE: Duration = Duration::from_millis(50);
/// How often people get a summary.
const SUMMARY: Duration = Duration::from_secs(10);

/// What the loop does by the clock.
pub(super) struct Schedule {
    pub(super) heartbeat: Periodic,
    pub(super) refresh: Periodic,
    pub(super) clock_line: Option<Periodic>,
    pub(super) summary: Periodic,
    pub(super) guard: Periodic,
    pub(super) system_clock: Option<Periodic>,
    pub(super) alive: Option<Periodic>,
    pub(super) store: Periodic,
}

impl Schedule {
    /// `clock_lines`: somebody reads how far the clock is from the truth. `system_clock`: it follows, or is followed.
    pub(super) fn new(now: Instant, clock_lines: bool, system_clock: bool) -> Self {
        Self {
            heartbeat: Periodic::new(now + HEARTBEAT, HEARTBEAT),
            refresh: Periodic::new(now + REFRESH, REFRESH),
            clock_line: clock_lines.then(|| Periodic::new(now, CLOCK_LINE)),
            summary: Periodic::new(now + SUMMARY, SUMMARY),
            guard: Periodic::new(now, GUARD),
            system_clock: system_clock.then(|| Periodic::new(now, system_clock::INTERVAL)),
            alive: notify::alive_interval().map(|interval| Periodic::new(now, interval)),
            store: Periodic::new(now + STORE, STORE),
        }
    }

    /// When any of it is due next.
    pub(super) fn next(&self) -> Instant {
        // Storing goes with a refresh.
        [self.heartbeat, self.refresh, self.summary, self.guard]
            .into_iter()
            .chain(self.clock_line)
            .chain(self.system_clock)
            .chain(self.alive)
            .map(|periodic| periodic.next())
            .fold(self.heartbeat.next(), Instant::min)
    }
}
