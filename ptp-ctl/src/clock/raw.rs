use super::kernel::{monotonic_raw_nanos, realtime_nanos, realtime_of};
use super::{Clock, ClockError, Kind, Timescale};
use ptp_common::time::{Interval, RawStamp, Timestamp};
use std::cell::Cell;

/// How much faster or slower CLOCK_REALTIME may be slewed, against CLOCK_MONOTONIC_RAW, before that counts as a step, ppb: chrony's
/// own limit is a tenth.
const FASTEST_SLEW_PPB: i128 = 110_000_000;
/// What reading the two one after the other may make of it, ns.
const TOLERANCE_NS: i128 = 50_000;
/// A stamp may have been taken so long before it is looked at, ns: a step within that time may have come between.
const STAMP_AGE_NS: u64 = 500_000_000;

/// The processor's counter as the kernel reads it, CLOCK_MONOTONIC_RAW, which begins as CLOCK_REALTIME was at the start. Somebody else
/// steers the system clock, and nothing of that is seen here: what a step or a slew does to stamps of CLOCK_REALTIME is taken out of
/// them.
#[derive(Debug)]
pub struct RawClock {
    /// This clock's reading minus CLOCK_MONOTONIC_RAW, ns.
    base: i128,
    /// CLOCK_MONOTONIC_RAW, and CLOCK_REALTIME minus it, when last looked at.
    last: Cell<(u64, i128)>,
    /// When CLOCK_REALTIME was found to have been stepped.
    stepped: Cell<Option<u64>>,
    tai_offset: i32,
}

impl RawClock {
    /// Reads as CLOCK_REALTIME does now.
    pub fn new() -> Self {
        let (raw, ahead) = compare();
        Self { base: ahead, last: Cell::new((raw, ahead)), stepped: Cell::new(None), tai_offset: 0 }
    }

    /// CLOCK_REALTIME minus CLOCK_MONOTONIC_RAW now, and the latter; notices a step.
    fn look(&self) -> (u64, i128) {
        let (raw, ahead) = compare();
        let (last_raw, last_ahead) = self.last.replace((raw, ahead));
        let slewed = i128::from(raw.saturating_sub(last_raw)) * FASTEST_SLEW_PPB / 1_000_000_000;
        if (ahead - last_ahead).abs() > slewed + TOLERANCE_NS {
            self.stepped.set(Some(raw));
        }
        (raw, ahead)
    }

    fn reading(&self, raw: i128) -> Timestamp {
        Timestamp::ZERO.saturating_add(Interval::from_nanos(raw + self.base))
    }
}

impl Default for RawClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for RawClock {
    fn kind(&self) -> &'static str {
        Kind::Chrony.name()
    }

    fn timescale(&self) -> Timescale {
        Timescale::Utc
    }

    fn now(&self) -> Result<Timestamp, ClockError> {
        Ok(self.reading(monotonic_raw_nanos().into()))
    }

    /// Of a stamp that may be from before a step, nothing is known.
    fn at(&self, stamp: RawStamp) -> Option<Timestamp> {
        let real = realtime_of(stamp, self.tai_offset)?;
        let (raw, ahead) = self.look();
        let disturbed = self.stepped.get().is_some_and(|stepped| raw.saturating_sub(stepped) < STAMP_AGE_NS);
        (!disturbed).then(|| self.reading(i128::from(real) - ahead))
    }

    fn step(&mut self, _by: Interval) -> Result<(), ClockError> {
        Ok(())
    }

    fn set_frequency(&mut self, _ppb: f64) -> Result<f64, ClockError> {
        Ok(0.0)
    }

    fn frequency(&self) -> f64 {
        0.0
    }

    fn max_frequency(&self) -> f64 {
        0.0
    }

    fn set_kernel_tai_offset(&mut self, seconds: i32) {
        self.tai_offset = seconds;
    }
}

/// CLOCK_MONOTONIC_RAW, and CLOCK_REALTIME minus it: the closest of three, so that an interrupt in between does not count.
fn compare() -> (u64, i128) {
    let once = || {
        let before = monotonic_raw_nanos();
        let real = realtime_nanos();
        let window = monotonic_raw_nanos().saturating_sub(before);
        let raw = before + window / 2;
        (window, raw, i128::from(real) - i128::from(raw))
    };
    let (_, raw, ahead) =
        [once(), once(), once()].into_iter().min_by_key(|(window, ..)| *window).unwrap_or_default();
    (raw, ahead)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptp_common::time::StampSource;

    fn stamp() -> RawStamp {
        RawStamp { nanos: realtime_nanos(), source: StampSource::SocketSw }
    }

    #[test]
    fn a_stamp_is_read_as_the_clock_was_then() {
        let clock = RawClock::new();
        let before = clock.now().unwrap();
        let stamp = stamp();
        let after = clock.now().unwrap();
        let at = clock.at(stamp).unwrap();
        let slack = Interval::from_nanos(TOLERANCE_NS);
        assert!(before <= at + slack && at <= after + slack, "{before:?} {at:?} {after:?}");
        assert_eq!(clock.at(RawStamp { nanos: 1, source: StampSource::SocketHw }), None);
    }

    #[test]
    fn stamps_around_a_step_are_not_used() {
        let clock = RawClock::new();
        assert!(clock.at(stamp()).is_some());
        // As if CLOCK_REALTIME had been a second behind at the last look.
        let (raw, ahead) = clock.last.get();
        clock.last.set((raw, ahead - 1_000_000_000));
        assert_eq!(clock.at(stamp()), None);
        clock.stepped.set(Some(0));
        assert!(clock.at(stamp()).is_some());
    }
}
