//! The system calls that read and change a kernel clock. The only place that can change one.

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::time::ClockId;
use ptp_common::time::{Interval, NANOS_PER_SEC};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Units of `timex.freq` in one ppb: it counts 2^-16 ppm.
const FREQUENCY_UNITS: f64 = 65.536;

/// A kernel clock's adjustment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Adjustment {
    /// ppb, positive = faster.
    pub(super) frequency: f64,
    /// TAI - UTC, seconds; 0 = unknown. CLOCK_REALTIME only.
    pub(super) tai: i32,
}

/// Reads without changing anything.
pub(super) fn read_adjustment(clock: ClockId) -> io::Result<Adjustment> {
    let timex = adjust(clock, empty())?;
    Ok(Adjustment { frequency: timex.freq as f64 / FREQUENCY_UNITS, tai: timex.tai })
}

/// Sets the frequency; returns what was set, rounded to the kernel's units. ppb.
pub(super) fn set_frequency(clock: ClockId, ppb: f64) -> io::Result<f64> {
    let units = (ppb * FREQUENCY_UNITS).round();
    adjust(clock, libc::timex { modes: libc::ADJ_FREQUENCY, freq: units as _, ..empty() })?;
    Ok(units / FREQUENCY_UNITS)
}

/// Moves the clock at once.
pub(super) fn step(clock: ClockId, by: Interval) -> io::Result<()> {
    let (seconds, nanoseconds) = split(by);
    // With ADJ_NANO the field tv_usec carries ns, and must not be negative.
    let time = libc::timeval { tv_sec: seconds as _, tv_usec: nanoseconds as _ };
    adjust(clock, libc::timex { modes: libc::ADJ_SETOFFSET | libc::ADJ_NANO, time, ..empty() })?;
    Ok(())
}

/// The id of the clock behind a PHC's device (clock_gettime(2), "Dynamic clocks"): valid while it is open.
pub(super) fn dynamic_clock(device: BorrowedFd<'_>) -> ClockId {
    const CLOCKFD: libc::clockid_t = 3;
    ClockId::from_raw(!device.as_raw_fd() << 3 | CLOCKFD)
}

/// A PHC's largest frequency adjustment, ppb.
pub(super) fn phc_max_frequency(device: BorrowedFd<'_>) -> io::Result<u32> {
    let mut caps = MaybeUninit::<libc::ptp_clock_caps>::zeroed();
    // SAFETY: the descriptor is open, and PTP_CLOCK_GETCAPS writes one `ptp_clock_caps`.
    Errno::result(unsafe { libc::ioctl(device.as_raw_fd(), libc::PTP_CLOCK_GETCAPS, caps.as_mut_ptr()) })?;
    // SAFETY: it is made of integers only, for which zero is a value.
    let caps = unsafe { caps.assume_init() };
    Ok(u32::try_from(caps.max_adj).unwrap_or(0))
}

/// Nanoseconds since the clock's epoch; 0 for a clock before it.
pub(super) fn nanos(time: TimeSpec) -> u64 {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    seconds * u64::from(NANOS_PER_SEC) + u64::try_from(time.tv_nsec()).unwrap_or(0)
}

/// Whole seconds, rounded down, and the nanoseconds beyond them.
pub(super) fn split(interval: Interval) -> (i128, i128) {
    let nanos = interval.round_nanos();
    (nanos.div_euclid(i128::from(NANOS_PER_SEC)), nanos.rem_euclid(i128::from(NANOS_PER_SEC)))
}

fn empty() -> libc::timex {
    // SAFETY: it is made of integers only, for which zero is a value.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

fn adjust(clock: ClockId, mut timex: libc::timex) -> io::Result<libc::timex> {
    // SAFETY: the kernel reads and writes one `timex`, and takes any clock id.
    Errno::result(unsafe { libc::clock_adjtime(clock.as_raw(), &raw mut timex) })?;
    Ok(timex)
}
