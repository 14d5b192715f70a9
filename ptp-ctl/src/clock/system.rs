use super::kernel::Realtime;
use super::{Clock, ClockError, Kind, Leap, Timescale, clamp_frequency, sys};
use crate::process::{Capabilities, Capability};
use nix::time::ClockId;
use ptp_common::time::{Interval, RawStamp, Timestamp};
use std::io;

/// The kernel's limit on `timex.freq` (adjtimex(2)): 500 ppm.
const MAX_FREQUENCY_PPB: f64 = 500_000.0;

/// The system clock, CLOCK_REALTIME.
#[derive(Debug)]
pub struct SystemClock {
    steered: bool,
    frequency: f64,
    realtime: Realtime,
}

impl SystemClock {
    /// Reads the frequency in force, and changes nothing.
    ///
    /// # Errors
    /// It is to be `steered`, and the process lacks CAP_SYS_TIME.
    pub fn open(steered: bool) -> Result<Self, ClockError> {
        // The kernel only answers to a change.
        if steered && !Capabilities::effective().has(Capability::SysTime) {
            return Err(privilege());
        }
        let state = sys::read_adjustment(ClockId::CLOCK_REALTIME)
            .map_err(|source| ClockError::Read { clock: "the system clock's frequency", source })?;
        let realtime = Realtime { tai_offset: state.tai };
        Ok(Self { steered, frequency: state.frequency, realtime })
    }

    /// Tells the kernel what TAI - UTC is, in seconds, and which leap second the UTC day ends with.
    pub fn set_utc(&mut self, tai_offset: i32, leap: Leap) -> Result<(), ClockError> {
        self.check_steered()?;
        sys::set_utc(tai_offset, leap).map_err(|source| explain("set the time scales of", source))
    }

    fn check_steered(&self) -> Result<(), ClockError> {
        if self.steered { Ok(()) } else { Err(ClockError::ReadOnly { clock: Kind::System.name() }) }
    }
}

impl Clock for SystemClock {
    fn kind(&self) -> &'static str {
        Kind::System.name()
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

    fn step(&mut self, by: Interval) -> Result<(), ClockError> {
        self.check_steered()?;
        sys::step(ClockId::CLOCK_REALTIME, by).map_err(|source| explain("step", source))
    }

    fn set_frequency(&mut self, ppb: f64) -> Result<f64, ClockError> {
        self.check_steered()?;
        let ppb = clamp_frequency(ppb, MAX_FREQUENCY_PPB)?;
        self.frequency =
            sys::set_frequency(ClockId::CLOCK_REALTIME, ppb).map_err(|source| explain("steer", source))?;
        Ok(self.frequency)
    }

    fn frequency(&self) -> f64 {
        self.frequency
    }

    fn max_frequency(&self) -> f64 {
        MAX_FREQUENCY_PPB
    }

    fn set_kernel_tai_offset(&mut self, seconds: i32) {
        self.realtime.tai_offset = seconds;
    }
}

fn privilege() -> ClockError {
    ClockError::Privilege { action: "set the system clock".to_owned(), needed: "CAP_SYS_TIME".to_owned() }
}

fn explain(action: &'static str, source: io::Error) -> ClockError {
    match source.raw_os_error() {
        Some(libc::EPERM) => privilege(),
        _ => ClockError::Adjust { action, clock: Kind::System.name(), source },
    }
}
