use super::{Clock, ClockError, Kind, Timescale, clamp_frequency, sys};
use nix::time::{ClockId, clock_gettime};
use ptp_common::time::{Interval, RawStamp, StampSource, Timestamp};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;

/// A NIC's own clock, /dev/ptpN, used as a dynamic POSIX clock (kernel: Documentation/driver-api/ptp.rst).
#[derive(Debug)]
pub struct Phc {
    device: File,
    steered: bool,
    frequency: f64,
    max_frequency: f64,
}

impl Phc {
    /// Opens /dev/ptp`index`; changes nothing.
    ///
    /// # Errors
    /// The device is missing, or may not be opened: for writing if it is to be `steered`.
    pub fn open(index: u32, steered: bool) -> Result<Self, ClockError> {
        let path = format!("/dev/ptp{index}");
        let device = OpenOptions::new().read(true).write(steered).open(&path).map_err(|source| {
            let device = path.clone();
            match source.kind() {
                io::ErrorKind::NotFound => ClockError::DeviceMissing { device },
                io::ErrorKind::PermissionDenied => ClockError::Privilege {
                    action: format!("open {device}"),
                    needed: "permission to read and write it".to_owned(),
                },
                _ => ClockError::Open { device, source },
            }
        })?;
        let read = |source| ClockError::Read { clock: "the hardware clock's abilities", source };
        let max_frequency = f64::from(sys::phc_max_frequency(device.as_fd()).map_err(read)?);
        let frequency = sys::read_adjustment(sys::dynamic_clock(device.as_fd())).map_err(read)?.frequency;
        Ok(Self { device, steered, frequency, max_frequency })
    }

    fn id(&self) -> ClockId {
        sys::dynamic_clock(self.device.as_fd())
    }

    fn check_steered(&self) -> Result<(), ClockError> {
        if self.steered { Ok(()) } else { Err(ClockError::ReadOnly { clock: Kind::Phc.name() }) }
    }
}

impl Clock for Phc {
    fn kind(&self) -> &'static str {
        Kind::Phc.name()
    }

    fn timescale(&self) -> Timescale {
        Timescale::Tai
    }

    fn now(&self) -> Result<Timestamp, ClockError> {
        let time = clock_gettime(self.id())
            .map_err(|error| ClockError::Read { clock: "the hardware clock", source: error.into() })?;
        Ok(Timestamp::from_nanos(sys::nanos(time)))
    }

    fn at(&self, stamp: RawStamp) -> Option<Timestamp> {
        match stamp.source {
            StampSource::XdpHw | StampSource::SocketHw => Some(Timestamp::from_nanos(stamp.nanos)),
            StampSource::XdpSw | StampSource::SocketSw => None,
        }
    }

    fn step(&mut self, by: Interval) -> Result<(), ClockError> {
        self.check_steered()?;
        sys::step(self.id(), by).map_err(|source| explain("step", source))
    }

    fn set_frequency(&mut self, ppb: f64) -> Result<f64, ClockError> {
        self.check_steered()?;
        let ppb = clamp_frequency(ppb, self.max_frequency)?;
        self.frequency = sys::set_frequency(self.id(), ppb).map_err(|source| explain("steer", source))?;
        Ok(self.frequency)
    }

    fn frequency(&self) -> f64 {
        self.frequency
    }

    fn max_frequency(&self) -> f64 {
        self.max_frequency
    }

    fn set_kernel_tai_offset(&mut self, _seconds: i32) {
        // Its stamps do not count a kernel clock.
    }

    fn reapply_frequency(&mut self) -> Result<bool, ClockError> {
        self.check_steered()?;
        sys::reapply_frequency(self.id(), self.frequency).map_err(|source| explain("steer", source))
    }
}

fn explain(action: &'static str, source: io::Error) -> ClockError {
    ClockError::Adjust { action, clock: Kind::Phc.name(), source }
}
