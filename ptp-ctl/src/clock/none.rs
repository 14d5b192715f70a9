use super::kernel::Realtime;
use super::{Clock, ClockError, Kind, Timescale};
use ptp_common::time::{Interval, RawStamp, Timestamp};

/// CLOCK_REALTIME, never changed: steering is accepted and has no effect.
#[derive(Debug, Default)]
pub struct NoClock {
    realtime: Realtime,
}

impl NoClock {
    /// With an unknown TAI offset.
    pub const fn new() -> Self {
        Self { realtime: Realtime { tai_offset: 0 } }
    }
}

impl Clock for NoClock {
    fn kind(&self) -> &'static str {
        Kind::None.name()
    }

    fn timescale(&self) -> Timescale {
        Timescale::Utc
    }

    fn now(&self) -> Result<Timestamp, ClockError> {
        Ok(self.realtime.now())
    }

    fn at(&self, stamp: RawStamp) -> Option<Timestamp> {
        self.realtime.at(stamp)
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
        self.realtime.tai_offset = seconds;
    }
}
