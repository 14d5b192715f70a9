use super::kernel::{realtime_nanos, realtime_of};
use super::{Clock, ClockError, Kind, Timescale, clamp_frequency};
use ptp_common::time::{Interval, RawStamp, Timestamp};
use std::collections::VecDeque;

/// Largest adjustment, ppb: that of the system clock.
const MAX_FREQUENCY_PPB: f64 = 500_000.0;

/// Changes that are remembered, so that stamps from before them keep their meaning: a quarter of a second at the
/// highest Sync rate in use, 128 per second.
const SEGMENTS: usize = 32;

/// Fractional bits of a reading: rounding at a million changes adds up to less than a picosecond.
const FRACTION_BITS: u32 = 40;

/// A software clock on top of CLOCK_REALTIME, which it never changes.
///
/// It has an oscillator of its own, wrong by a constant, and is stepped and steered like a real clock: it runs at
/// (1 + oscillator's error)·(1 + adjustment) times the rate of CLOCK_REALTIME.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    oscillator_ppb: f64,
    adjustment_ppb: f64,
    /// Oldest first, at least one; each is in force from its anchor to that of the next.
    segments: VecDeque<Segment>,
    tai_offset: i32,
}

/// A stretch of constant rate.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Anchor: CLOCK_REALTIME, ns.
    real: u64,
    /// The clock's error, reading minus CLOCK_REALTIME, at the anchor: ns with [`FRACTION_BITS`].
    error: i128,
    /// Rate of the clock against CLOCK_REALTIME, minus one.
    drift: f64,
}

impl Segment {
    /// The clock's error then, ns with [`FRACTION_BITS`]. Only the drift since the anchor is computed in floating
    /// point: a few ms in an hour, so that 53 bits leave it far below a nanosecond.
    fn error_at(&self, real: u64) -> i128 {
        let elapsed = i128::from(real) - i128::from(self.real);
        let drifted = elapsed as f64 * self.drift;
        self.error + (drifted * (1_u64 << FRACTION_BITS) as f64).round() as i128
    }
}

impl VirtualClock {
    /// Starts now: `offset_ns` away from CLOCK_REALTIME (positive = ahead), on an oscillator that is `oscillator_ppb`
    /// fast. Errors: a frequency that is no finite number.
    pub fn new(offset_ns: i64, oscillator_ppb: f64) -> Result<Self, ClockError> {
        Self::starting_at(realtime_nanos(), offset_ns, oscillator_ppb)
    }

    /// Like [`new`](Self::new), at a given reading of CLOCK_REALTIME in ns.
    pub fn starting_at(real: u64, offset_ns: i64, oscillator_ppb: f64) -> Result<Self, ClockError> {
        if !oscillator_ppb.is_finite() {
            return Err(ClockError::Frequency { ppb: oscillator_ppb });
        }
        let mut segments = VecDeque::with_capacity(SEGMENTS);
        let error = i128::from(offset_ns) << FRACTION_BITS;
        segments.push_back(Segment { real, error, drift: drift(oscillator_ppb, 0.0) });
        Ok(Self { oscillator_ppb, adjustment_ppb: 0.0, segments, tai_offset: 0 })
    }

    /// What the clock read when CLOCK_REALTIME read `real` ns, rounded down to a nanosecond. Of changes further back
    /// than the last 31, only the latest is known.
    pub fn map(&self, real: u64) -> Timestamp {
        let nanos = i128::from(real) + (self.segment(real).error_at(real) >> FRACTION_BITS);
        Timestamp::ZERO.saturating_add(Interval::from_nanos(nanos))
    }

    /// Reading minus CLOCK_REALTIME when that read `real` ns.
    pub fn error_at(&self, real: u64) -> Interval {
        Interval::from_scaled(self.segment(real).error_at(real) >> (FRACTION_BITS - 16))
    }

    /// [`Clock::step`] at a given reading of CLOCK_REALTIME in ns.
    pub fn step_at(&mut self, real: u64, by: Interval) {
        let by = by.scaled() << (FRACTION_BITS - 16);
        self.push(real, by);
    }

    /// [`Clock::set_frequency`] at a given reading of CLOCK_REALTIME in ns.
    pub fn set_frequency_at(&mut self, real: u64, ppb: f64) -> Result<f64, ClockError> {
        self.adjustment_ppb = clamp_frequency(ppb, MAX_FREQUENCY_PPB)?;
        self.push(real, 0);
        Ok(self.adjustment_ppb)
    }

    /// A new segment from `real` on, at the present rate, moved by `step`.
    fn push(&mut self, real: u64, step: i128) {
        let latest = *self.segments.back().expect("there is always a segment");
        // If CLOCK_REALTIME was set back, the segments that it has not yet reached are void.
        let error = latest.error_at(real) + step;
        while self.segments.back().is_some_and(|segment| segment.real >= real) {
            self.segments.pop_back();
        }
        if self.segments.len() == SEGMENTS {
            self.segments.pop_front();
        }
        let drift = drift(self.oscillator_ppb, self.adjustment_ppb);
        self.segments.push_back(Segment { real, error, drift });
    }

    /// The segment in force then: the latest that began before.
    fn segment(&self, real: u64) -> &Segment {
        let oldest = self.segments.front().expect("there is always a segment");
        self.segments.iter().rev().find(|segment| segment.real <= real).unwrap_or(oldest)
    }
}

impl Clock for VirtualClock {
    fn kind(&self) -> &'static str {
        Kind::Virtual.name()
    }

    fn timescale(&self) -> Timescale {
        Timescale::Utc
    }

    fn now(&self) -> Result<Timestamp, ClockError> {
        Ok(self.map(realtime_nanos()))
    }

    fn at(&self, stamp: RawStamp) -> Option<Timestamp> {
        realtime_of(stamp, self.tai_offset).map(|real| self.map(real))
    }

    fn step(&mut self, by: Interval) -> Result<(), ClockError> {
        self.step_at(realtime_nanos(), by);
        Ok(())
    }

    fn set_frequency(&mut self, ppb: f64) -> Result<f64, ClockError> {
        self.set_frequency_at(realtime_nanos(), ppb)
    }

    fn frequency(&self) -> f64 {
        self.adjustment_ppb
    }

    fn max_frequency(&self) -> f64 {
        MAX_FREQUENCY_PPB
    }

    fn set_kernel_tai_offset(&mut self, seconds: i32) {
        self.tai_offset = seconds;
    }

    fn true_error(&self) -> Option<Interval> {
        Some(self.error_at(realtime_nanos()))
    }
}

/// Rate minus one. Multiplied out, because 1 + 1e-9 in floating point has lost half of the digits that matter.
fn drift(oscillator_ppb: f64, adjustment_ppb: f64) -> f64 {
    let (oscillator, adjustment) = (oscillator_ppb * 1e-9, adjustment_ppb * 1e-9);
    oscillator + adjustment + oscillator * adjustment
}
