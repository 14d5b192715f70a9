//! Clocks that can be read and steered: a NIC's PHC, the system clock, a virtual one, none.
//!
//! All of them turn a [`RawStamp`] into their own reading at the time it was taken. A stamp counts the PHC
//! (`XdpHw`, `SocketHw`), CLOCK_TAI (`XdpSw`) or CLOCK_REALTIME (`SocketSw`); a clock that is not derived from what
//! the stamp counts has no answer. When a clock is dropped, it runs on at its last frequency.

mod cross;
mod error;
mod kernel;
mod none;
mod phc;
mod raw;
mod refclock;
mod sys;
mod system;
mod time_page;
mod virtual_clock;

pub use cross::{CrossStamp, CrossStamps};
pub use error::ClockError;
pub use kernel::{
    KernelState, kernel_state, kernel_tai_offset, monotonic_nanos, monotonic_raw_nanos, realtime_nanos,
};
pub use none::NoClock;
pub use phc::Phc;
pub use raw::RawClock;
pub use refclock::Refclock;
pub use system::SystemClock;
pub use time_page::{TimePageReader, TimePageWriter};
pub use virtual_clock::VirtualClock;

use ptp_common::time::{Interval, RawStamp, Timestamp};

/// The timescale of a clock's reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timescale {
    /// CLOCK_REALTIME and what is built on it.
    Utc,
    /// A PHC, by convention.
    Tai,
}

/// The leap second that the UTC day ends with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leap {
    /// None.
    #[default]
    None,
    /// The last minute has 59 seconds.
    Second59,
    /// The last minute has 61 seconds.
    Second61,
}

/// Which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The NIC's own clock.
    Phc,
    /// CLOCK_REALTIME.
    System,
    /// A software clock on top of CLOCK_REALTIME, for demonstrations and tests.
    Virtual,
    /// CLOCK_REALTIME, measured but not steered.
    None,
    /// A counter that nobody steers, while chrony steers CLOCK_REALTIME.
    Chrony,
}

impl Kind {
    /// The name used in every report and setting.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Phc => "phc",
            Self::System => "system",
            Self::Virtual => "virtual",
            Self::None => "none",
            Self::Chrony => "chrony",
        }
    }
}

/// What [`open`] needs to know besides the [`Kind`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The interface, named in errors.
    pub interface: String,
    /// The interface's PHC is /dev/ptpN with this N; `None` if it has none.
    pub phc_index: Option<u32>,
    /// The clock will be steered: [`open`] then checks that this is permitted. Otherwise stepping and steering a PHC or
    /// the system clock is refused.
    pub steered: bool,
    /// A virtual clock's reading minus CLOCK_REALTIME at start, ns.
    pub virtual_offset_ns: i64,
    /// The frequency error of a virtual clock's oscillator, ppb, positive = fast.
    pub virtual_frequency_ppb: f64,
}

/// Opens a clock.
///
/// The kernel's TAI offset is read once; tell the clock of later changes with [`Clock::set_kernel_tai_offset`].
///
/// # Errors
/// No PHC on this interface, its device missing, no privilege to steer; see [`ClockError`].
pub fn open(kind: Kind, options: &Options) -> Result<Box<dyn Clock>, ClockError> {
    let mut clock: Box<dyn Clock> = match kind {
        Kind::Phc => {
            let index = options
                .phc_index
                .ok_or_else(|| ClockError::NoPhc { interface: options.interface.clone() })?;
            Box::new(Phc::open(index, options.steered)?)
        }
        Kind::System => Box::new(SystemClock::open(options.steered)?),
        Kind::Virtual => {
            Box::new(VirtualClock::new(options.virtual_offset_ns, options.virtual_frequency_ppb)?)
        }
        Kind::None => Box::new(NoClock::new()),
        Kind::Chrony => Box::new(RawClock::new()),
    };
    let offset = kernel_tai_offset()
        .map_err(|source| ClockError::Read { clock: "the kernel's TAI offset", source })?;
    clock.set_kernel_tai_offset(offset.unwrap_or(0));
    Ok(clock)
}

/// A clock as the runtime sees it.
pub trait Clock: Send {
    /// [`Kind::name`]: "phc", "system", "virtual", "none", "chrony".
    fn kind(&self) -> &'static str;

    /// The timescale of every reading.
    fn timescale(&self) -> Timescale;

    /// The reading now. Errors: the PHC's device is gone.
    fn now(&self) -> Result<Timestamp, ClockError>;

    /// The reading when the stamp was taken; `None` if this kind of stamp does not count a clock that ours is derived
    /// from. For a recent stamp of a virtual clock this is what it read then, whatever was adjusted since.
    fn at(&self, stamp: RawStamp) -> Option<Timestamp>;

    /// Moves the clock by `by` at once, positive = forward; kernel clocks round to whole ns.
    fn step(&mut self, by: Interval) -> Result<(), ClockError>;

    /// Sets the adjustment of the frequency: ppb, positive = faster, clamped to what the clock can do. Returns what was
    /// set, which kernel clocks round to about 0.015 ppb. Errors: not permitted, not a finite number.
    fn set_frequency(&mut self, ppb: f64) -> Result<f64, ClockError>;

    /// The adjustment in force, ppb.
    fn frequency(&self) -> f64;

    /// Largest adjustment, ppb, in either direction.
    fn max_frequency(&self) -> f64;

    /// CLOCK_TAI - CLOCK_REALTIME of the kernel, seconds (0 while unknown): needed to read XDP's software stamps.
    fn set_kernel_tai_offset(&mut self, seconds: i32);

    /// Sets the frequency in force once more, after something that may have changed it behind our back. True if the kernel
    /// reported another one. Only a PHC loses it, when its NIC is reset.
    fn reapply_frequency(&mut self) -> Result<bool, ClockError> {
        Ok(false)
    }

    /// Reading minus truth, where truth is known: a virtual clock's distance from CLOCK_REALTIME.
    fn true_error(&self) -> Option<Interval> {
        None
    }
}

/// The adjustment that a clock with this limit can do.
fn clamp_frequency(ppb: f64, max: f64) -> Result<f64, ClockError> {
    if !ppb.is_finite() {
        return Err(ClockError::Frequency { ppb });
    }
    Ok(ppb.clamp(-max, max))
}

#[cfg(test)]
mod tests;
