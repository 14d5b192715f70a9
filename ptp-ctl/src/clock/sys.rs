//! The system calls that read and change a kernel clock. The only place that can change one.

use super::Leap;
use super::cross::{self, CrossStamp};
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
    /// timex.status: bits `STA_…`. CLOCK_REALTIME only.
    pub(super) status: i32,
    /// us, 0 if the kernel has it negative. CLOCK_REALTIME only.
    pub(super) max_error: u64,
}

/// Reads without changing anything.
pub(super) fn read_adjustment(clock: ClockId) -> io::Result<Adjustment> {
    let timex = adjust(clock, empty())?;
    Ok(Adjustment {
        frequency: timex.freq as f64 / FREQUENCY_UNITS,
        tai: timex.tai,
        status: timex.status,
        max_error: u64::try_from(timex.maxerror).unwrap_or(0),
    })
}

/// Sets the frequency; returns what was set, rounded to the kernel's units. ppb.
pub(super) fn set_frequency(clock: ClockId, ppb: f64) -> io::Result<f64> {
    let units = (ppb * FREQUENCY_UNITS).round();
    adjust(clock, libc::timex { modes: libc::ADJ_FREQUENCY, freq: units as _, ..empty() })?;
    Ok(units / FREQUENCY_UNITS)
}

/// Sets the frequency that is believed to be in force; true if the kernel reports another one.
pub(super) fn reapply_frequency(clock: ClockId, ppb: f64) -> io::Result<bool> {
    let reported = read_adjustment(clock)?.frequency;
    set_frequency(clock, ppb)?;
    // Both are rounded to the kernel's units.
    Ok((reported - ppb).abs() > 1.0 / FREQUENCY_UNITS)
}

/// Sets TAI - UTC and the announced leap second of CLOCK_REALTIME, and says that it is synchronised.
pub(super) fn set_utc(tai_offset: i32, leap: Leap) -> io::Result<()> {
    let status = match leap {
        Leap::None => 0,
        Leap::Second59 => libc::STA_DEL,
        Leap::Second61 => libc::STA_INS,
    };
    let realtime = ClockId::CLOCK_REALTIME;
    // One call each: both values have the same field.
    adjust(realtime, libc::timex { modes: libc::ADJ_TAI, constant: tai_offset.into(), ..empty() })?;
    adjust(realtime, libc::timex { modes: libc::ADJ_STATUS, status, ..empty() })?;
    Ok(())
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

/// Readings of one comparison of clocks, of which the best is taken.
const READINGS: usize = 9;

/// The hardware reads both clocks at once (PTP_SYS_OFFSET_PRECISE).
pub(super) fn cross_precise(device: BorrowedFd<'_>) -> io::Result<CrossStamp> {
    let mut data = MaybeUninit::<libc::ptp_sys_offset_precise>::zeroed();
    // SAFETY: the descriptor is open, and the kernel writes one `ptp_sys_offset_precise`.
    Errno::result(unsafe {
        libc::ioctl(device.as_raw_fd(), libc::PTP_SYS_OFFSET_PRECISE, data.as_mut_ptr())
    })?;
    // SAFETY: it is made of integers only, for which zero is a value.
    let data = unsafe { data.assume_init() };
    let (phc_ns, system_ns) = (phc_nanos(data.device), phc_nanos(data.sys_realtime));
    Ok(CrossStamp { phc_ns, system_ns, window_ns: 0 })
}

/// The driver reads the system clock right before and after its own (PTP_SYS_OFFSET_EXTENDED).
pub(super) fn cross_extended(device: BorrowedFd<'_>) -> io::Result<CrossStamp> {
    // SAFETY: it is made of integers only, for which zero is a value.
    let mut data: libc::ptp_sys_offset_extended = unsafe { MaybeUninit::zeroed().assume_init() };
    data.n_samples = READINGS as _;
    // SAFETY: the descriptor is open, and the kernel reads and writes one `ptp_sys_offset_extended`.
    Errno::result(unsafe { libc::ioctl(device.as_raw_fd(), libc::PTP_SYS_OFFSET_EXTENDED, &raw mut data) })?;
    cross::narrowest(data.ts[..READINGS].iter().map(|triple| triple.map(phc_nanos)))
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The kernel reads both in turn (PTP_SYS_OFFSET).
pub(super) fn cross_plain(device: BorrowedFd<'_>) -> io::Result<CrossStamp> {
    // SAFETY: it is made of integers only, for which zero is a value.
    let mut data: libc::ptp_sys_offset = unsafe { MaybeUninit::zeroed().assume_init() };
    data.n_samples = READINGS as _;
    // SAFETY: the descriptor is open, and the kernel reads and writes one `ptp_sys_offset`.
    Errno::result(unsafe { libc::ioctl(device.as_raw_fd(), libc::PTP_SYS_OFFSET, &raw mut data) })?;
    // System, PHC, system, PHC … system.
    let readings = data.ts[..=2 * READINGS].windows(3).step_by(2);
    cross::narrowest(readings.map(|triple| [0, 1, 2].map(|index| phc_nanos(triple[index]))))
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn phc_nanos(time: libc::ptp_clock_time) -> i64 {
    time.sec * i64::from(NANOS_PER_SEC) + i64::from(time.nsec)
}
