use super::Interval;
use core::ops::{Add, Sub};

/// Nanoseconds in one second.
pub const NANOS_PER_SEC: u32 = 1_000_000_000;

/// A point in time: 48-bit seconds and 32-bit nanoseconds since the epoch of its timescale
/// (IEEE 1588-2019, 5.3.3).
///
/// Which timescale it is, TAI or an arbitrary one, is a property of where it came from: a server's
/// `ptpTimescale` flag, or the local clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: u64,
    nanoseconds: u32,
}

/// Why a pair of numbers is no [`Timestamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// More than 48 bits of seconds.
    #[error("seconds do not fit in 48 bits")]
    Seconds,
    /// 10^9 nanoseconds or more.
    #[error("nanoseconds are not below 10^9")]
    Nanoseconds,
}

impl Timestamp {
    /// The epoch.
    pub const ZERO: Self = Self { seconds: 0, nanoseconds: 0 };
    /// The last nanosecond that the wire can carry.
    pub const MAX: Self = Self { seconds: (1 << 48) - 1, nanoseconds: NANOS_PER_SEC - 1 };

    /// `seconds` below 2^48, `nanoseconds` below 10^9.
    pub const fn new(seconds: u64, nanoseconds: u32) -> Result<Self, TimestampError> {
        if seconds > Self::MAX.seconds {
            return Err(TimestampError::Seconds);
        }
        if nanoseconds >= NANOS_PER_SEC {
            return Err(TimestampError::Nanoseconds);
        }
        Ok(Self { seconds, nanoseconds })
    }

    /// Nanoseconds since the epoch; every `u64` is in range (until the year 2554).
    pub const fn from_nanos(nanos: u64) -> Self {
        let seconds = nanos / NANOS_PER_SEC as u64;
        Self { seconds, nanoseconds: (nanos % NANOS_PER_SEC as u64) as u32 }
    }

    /// Whole seconds since the epoch.
    pub const fn seconds(self) -> u64 {
        self.seconds
    }

    /// Nanoseconds within the second, below 10^9.
    pub const fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> i128 {
        self.seconds as i128 * NANOS_PER_SEC as i128 + self.nanoseconds as i128
    }

    /// The point `interval` later, rounded down to a nanosecond; clamped to what the wire can carry.
    pub const fn saturating_add(self, interval: Interval) -> Self {
        let nanos = self.as_nanos() + interval.floor_nanos();
        if nanos < 0 {
            return Self::ZERO;
        }
        if nanos > Self::MAX.as_nanos() {
            return Self::MAX;
        }
        let seconds = nanos / NANOS_PER_SEC as i128;
        Self { seconds: seconds as u64, nanoseconds: (nanos % NANOS_PER_SEC as i128) as u32 }
    }
}

impl Sub for Timestamp {
    type Output = Interval;

    fn sub(self, earlier: Self) -> Interval {
        Interval::from_nanos(self.as_nanos() - earlier.as_nanos())
    }
}

impl Add<Interval> for Timestamp {
    type Output = Self;

    fn add(self, interval: Interval) -> Self {
        self.saturating_add(interval)
    }
}
