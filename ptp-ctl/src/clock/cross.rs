//! PHC and system clock read at one instant, in the best way that the driver has
//! (kernel: include/uapi/linux/ptp_clock.h).

use super::{ClockError, sys};
use std::fs::File;
use std::os::fd::AsFd as _;

/// Both clocks at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrossStamp {
    /// The PHC's reading, ns.
    pub phc_ns: i64,
    /// CLOCK_REALTIME, ns.
    pub system_ns: i64,
    /// The readings were taken within so many ns; 0 if the hardware took them at once.
    pub window_ns: u64,
}

/// How the two are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Precise,
    Extended,
    Plain,
}

/// Compares a PHC with CLOCK_REALTIME. Changes neither.
#[derive(Debug)]
pub struct CrossStamps {
    device: File,
    method: Method,
}

impl CrossStamps {
    /// Opens /dev/ptp`index` and finds out which way its driver has.
    ///
    /// # Errors
    /// It cannot be opened, or not be compared at all.
    pub fn open(index: u32) -> Result<Self, ClockError> {
        let path = format!("/dev/ptp{index}");
        let device = File::open(&path).map_err(|source| ClockError::Open { device: path, source })?;
        let mut stamps = Self { device, method: Method::Precise };
        for method in [Method::Precise, Method::Extended, Method::Plain] {
            stamps.method = method;
            if stamps.read().is_ok() {
                return Ok(stamps);
            }
        }
        // For the error.
        stamps.read().map(|_| stamps)
    }

    /// "precise", "extended" or "plain".
    pub const fn method(&self) -> &'static str {
        match self.method {
            Method::Precise => "precise",
            Method::Extended => "extended",
            Method::Plain => "plain",
        }
    }

    /// The best of several readings. Errors: the PHC is gone.
    pub fn read(&self) -> Result<CrossStamp, ClockError> {
        let device = self.device.as_fd();
        match self.method {
            Method::Precise => sys::cross_precise(device),
            Method::Extended => sys::cross_extended(device),
            Method::Plain => sys::cross_plain(device),
        }
        .map_err(|source| ClockError::Read { clock: "hardware and system clock together", source })
    }
}

/// The narrowest of triples that were read one after the other: system clock, PHC, system clock.
pub(super) fn narrowest(triples: impl Iterator<Item = [i64; 3]>) -> Option<CrossStamp> {
    triples
        .map(|[before, phc_ns, after]| CrossStamp {
            phc_ns,
            system_ns: before + (after - before) / 2,
            window_ns: u64::try_from(after - before).unwrap_or(u64::MAX),
        })
        .min_by_key(|stamp| stamp.window_ns)
}
