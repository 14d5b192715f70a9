//! `--clock chrony`: what chrony is told, once a second.

use super::driver::Driver;
use super::system_clock::Utc;
use crate::clock::{Leap, Refclock, realtime_nanos};
use crate::engine::client::KnownTime;
use ptp_common::time::{NANOS_PER_SEC, Timestamp};

/// Gives samples to chrony.
pub(super) struct ChronyFeed {
    refclock: Refclock,
    /// Nobody takes them: said once, until somebody does.
    refused: bool,
    pub(super) given: u64,
    pub(super) not_taken: u64,
}

impl ChronyFeed {
    pub(super) fn new(refclock: Refclock) -> Self {
        Self { refclock, refused: false, given: 0, not_taken: 0 }
    }

    fn give(&mut self, system_ns: u64, ahead_ns: f64, leap: Leap) {
        match self.refclock.send(system_ns, ahead_ns, leap) {
            Ok(()) => {
                self.given += 1;
                if std::mem::replace(&mut self.refused, false) {
                    tracing::info!("chrony takes samples");
                }
            }
            Err(error) => {
                self.not_taken += 1;
                if !std::mem::replace(&mut self.refused, true) {
                    tracing::warn!(
                        "chrony takes no samples: {error}; is `refclock SOCK` with this path in its configuration, and does it run?"
                    );
                }
            }
        }
    }
}

impl Driver {
    /// The estimate, while a server is in use: holdover is chrony's own affair.
    pub(super) fn feed_chrony(&mut self) {
        let (Some(client), Some(feed)) = (self.role.client(), &mut self.chrony) else { return };
        let Some(known) = client.known_time(self.monotonic.now().instant).filter(|known| known.has_server)
        else {
            return;
        };
        let before = realtime_nanos();
        let Ok(reading) = self.clock.now() else { return };
        let system_ns = before.midpoint(realtime_nanos());
        if let Some((ahead_ns, leap)) = ahead_of(&known, reading, system_ns, self.tai_offset) {
            feed.give(system_ns, ahead_ns, leap);
        }
    }
}

/// How far the server's time, as UTC, is ahead of the system clock, ns, and the leap second that it announces; `None` where TAI - UTC is
/// not known. `reading` is the local clock's at that moment.
fn ahead_of(
    known: &KnownTime,
    reading: Timestamp,
    system_ns: u64,
    kernel_tai: Option<i32>,
) -> Option<(f64, Leap)> {
    let Utc { offset, leap, .. } = Utc::of(&known.announced?, kernel_tai)?;
    let served = (reading + known.local_to_server).as_nanos();
    let utc = served - i128::from(offset) * i128::from(NANOS_PER_SEC);
    Some(((utc - i128::from(system_ns)) as f64 - known.offset_ns, leap))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::client::{AnnouncedTime, State};
    use ptp_common::time::Interval;

    #[test]
    fn a_sample_is_utc_minus_the_system_clock() {
        let announced = AnnouncedTime {
            accuracy_ns: None,
            ptp_timescale: true,
            utc_offset: Some(37),
            leap59: false,
            leap61: true,
        };
        let known = KnownTime {
            state: State::FreeRunning,
            has_server: true,
            local_to_server: Interval::from_secs(37),
            offset_ns: 250.0,
            bound_ns: 1.0,
            asymmetry_bound_ns: 1.0,
            announced: Some(announced),
        };
        // Our clock is 1 us ahead of the system's and 250 ns ahead of the server's.
        let (reading, system_ns) = (Timestamp::from_nanos(10_000_001_000), 10_000_000_000);
        assert_eq!(ahead_of(&known, reading, system_ns, None), Some((750.0, Leap::Second61)));
        let with = |announced| KnownTime { announced, ..known };
        let silent = AnnouncedTime { utc_offset: None, ..announced };
        assert_eq!(ahead_of(&with(Some(silent)), reading, system_ns, None), None);
        assert_eq!(
            ahead_of(&with(Some(silent)), reading, system_ns, Some(37)),
            Some((750.0, Leap::Second61))
        );
        let arbitrary = AnnouncedTime { ptp_timescale: false, ..silent };
        let known = KnownTime { local_to_server: Interval::ZERO, ..with(Some(arbitrary)) };
        assert_eq!(ahead_of(&known, reading, system_ns, Some(37)), Some((750.0, Leap::Second61)));
        assert_eq!(ahead_of(&with(None), reading, system_ns, None), None);
    }
}
