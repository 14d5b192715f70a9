//! The kernel's clocks, read only.

use super::sys::Adjustment;
use super::{Leap, sys};
use nix::time::{ClockId, clock_gettime};
use ptp_common::time::{NANOS_PER_SEC, RawStamp, StampSource, Timestamp};
use std::io;
use std::time::Duration;

/// CLOCK_TAI - CLOCK_REALTIME in seconds; `None` while nobody has told the kernel (it then reports 0).
pub fn kernel_tai_offset() -> io::Result<Option<i32>> {
    let state = sys::read_adjustment(ClockId::CLOCK_REALTIME)?;
    Ok((state.tai != 0).then_some(state.tai))
}

/// What the kernel says of CLOCK_REALTIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelState {
    /// Somebody keeps it right (not STA_UNSYNC).
    pub synchronised: bool,
    /// Its largest error, by who does; the kernel adds 500 us each second without news.
    pub max_error: Duration,
    /// What the UTC day ends with.
    pub leap: Leap,
}

/// Reads it.
pub fn kernel_state() -> io::Result<KernelState> {
    let Adjustment { status, max_error, .. } = sys::read_adjustment(ClockId::CLOCK_REALTIME)?;
    Ok(KernelState {
        synchronised: status & libc::STA_UNSYNC == 0,
        max_error: Duration::from_micros(max_error),
        leap: match (status & libc::STA_DEL != 0, status & libc::STA_INS != 0) {
            (true, false) => Leap::Second59,
            (false, true) => Leap::Second61,
            _ => Leap::None,
        },
    })
}

/// CLOCK_MONOTONIC, ns.
pub fn monotonic_nanos() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// CLOCK_MONOTONIC_RAW, which nobody steers, ns.
pub fn monotonic_raw_nanos() -> u64 {
    read(ClockId::CLOCK_MONOTONIC_RAW)
}

/// CLOCK_REALTIME, ns since 1970.
pub fn realtime_nanos() -> u64 {
    read(ClockId::CLOCK_REALTIME)
}

/// CLOCK_REALTIME when the stamp was taken, ns; `None` for hardware stamps, which do not count it.
pub(super) fn realtime_of(stamp: RawStamp, tai_offset: i32) -> Option<u64> {
    match stamp.source {
        StampSource::SocketSw => Some(stamp.nanos),
        StampSource::XdpSw => {
            stamp.nanos.checked_add_signed(-i64::from(tai_offset) * i64::from(NANOS_PER_SEC))
        }
        StampSource::XdpHw | StampSource::SocketHw => None,
    }
}

/// CLOCK_REALTIME as the clocks that are built on it read it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Realtime {
    /// CLOCK_TAI - CLOCK_REALTIME, s.
    pub(super) tai_offset: i32,
}

impl Realtime {
    pub(super) fn now(self) -> Timestamp {
        Timestamp::from_nanos(realtime_nanos())
    }

    /// When the stamp was taken.
    pub(super) fn at(self, stamp: RawStamp) -> Option<Timestamp> {
        realtime_of(stamp, self.tai_offset).map(Timestamp::from_nanos)
    }
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).expect("Linux always has CLOCK_REALTIME and CLOCK_MONOTONIC");
    sys::nanos(time)
}
