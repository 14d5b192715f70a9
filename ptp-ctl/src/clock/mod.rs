//! Clocks that can be read and steered: a NIC's PHC, the system clock, a virtual one, none.

use ptp_common::time::{Interval, RawStamp, Timestamp};

/// The timescale of a clock's reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timescale {
    /// CLOCK_REALTIME and what is built on it.
    Utc,
    /// A PHC, by convention.
    Tai,
}

#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    #[error("SKELETON")]
    Skeleton,
}

/// A clock as the runtime sees it.
pub trait Clock: Send {
    /// "phc", "system", "virtual", "none".
    fn kind(&self) -> &'static str;
    fn timescale(&self) -> Timescale;
    fn now(&self) -> Result<Timestamp, ClockError>;
    /// The clock's reading when the stamp was taken; `None` if this kind of stamp does not count a clock that ours is derived from.
    fn at(&self, stamp: RawStamp) -> Option<Timestamp>;
    /// Moves the clock by `by` at once.
    fn step(&mut self, by: Interval) -> Result<(), ClockError>;
    /// ppb, positive = faster; clamped to what the clock can do; returns what was set.
    fn set_frequency(&mut self, ppb: f64) -> Result<f64, ClockError>;
    /// The adjustment in force, ppb.
    fn frequency(&self) -> f64;
    /// Largest adjustment, ppb.
    fn max_frequency(&self) -> f64;
    /// CLOCK_TAI - CLOCK_REALTIME of the kernel, seconds (0 while unknown): needed to read XDP's software stamps.
    fn set_kernel_tai_offset(&mut self, seconds: i32);
    /// Reading minus truth, where truth is known: a virtual clock's distance from CLOCK_REALTIME.
    fn true_error(&self) -> Option<Interval> {
        None
    }
}
