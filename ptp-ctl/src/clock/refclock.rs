//! chrony as the clock's owner: samples for its reference clock SOCK.
//!
//! A sample is one datagram with the C struct that chrony reads: the system clock's reading, how far the true time is ahead of it, and the
//! leap second. It has no field for a bound: how sure a sample is, chrony is told by its own configuration.

use super::{ClockError, Leap};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// Octets of a sample: a timeval (two words of 64 bits), a double, four ints.
const LENGTH: usize = 40;
/// "SOCK".
const MAGIC: i32 = 0x534f_434b;

/// Sends samples to chronyd, which makes the socket.
#[derive(Debug)]
pub struct Refclock {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Refclock {
    /// Nothing need listen there yet: chronyd may be started later, or again.
    ///
    /// # Errors
    /// No socket can be had.
    pub fn new(path: &Path) -> Result<Self, ClockError> {
        let open = |source| ClockError::Open { device: path.display().to_string(), source };
        let socket = UnixDatagram::unbound().map_err(open)?;
        socket.set_nonblocking(true).map_err(open)?;
        Ok(Self { socket, path: path.to_owned() })
    }

    /// The system clock reads `system_ns`, and the true time (UTC) is `ahead_ns` ahead of it.
    ///
    /// # Errors
    /// chronyd does not run, or does not read.
    pub fn send(&self, system_ns: u64, ahead_ns: f64, leap: Leap) -> Result<(), ClockError> {
        let octets = sample(system_ns, ahead_ns, leap);
        let open = |source| ClockError::Open { device: self.path.display().to_string(), source };
        self.socket.send_to(&octets, &self.path).map(drop).map_err(open)
    }
}

fn sample(system_ns: u64, ahead_ns: f64, leap: Leap) -> [u8; LENGTH] {
    // Whole microseconds: what is cut off moves the sample in time, not its offset.
    let (seconds, micros) = (system_ns / 1_000_000_000, system_ns / 1_000 % 1_000_000);
    let leap: i32 = match leap {
        Leap::None => 0,
        Leap::Second61 => 1,
        Leap::Second59 => 2,
    };
    let mut octets = [0; LENGTH];
    let words = [seconds.to_ne_bytes(), micros.to_ne_bytes(), (ahead_ns * 1e-9).to_ne_bytes()];
    let ints = [0_i32, leap, 0, MAGIC].map(i32::to_ne_bytes);
    let source = words.as_flattened().iter().chain(ints.as_flattened());
    octets.iter_mut().zip(source).for_each(|(place, octet)| *place = *octet);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn a_sample_is_laid_out_as_chrony_reads_it() {
        let octets = sample(0x0102_0304 * 1_000_000_000 + 5_999, -0.5e9, Leap::Second61);
        assert_eq!(octets[..8], [4, 3, 2, 1, 0, 0, 0, 0]);
        assert_eq!(octets[8..16], [5, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(octets[16..24], (-0.5_f64).to_le_bytes());
        assert_eq!(octets[24..], [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, b'K', b'C', b'O', b'S']);
        assert_eq!(sample(0, 0.0, Leap::Second59)[28], 2);
    }

    #[test]
    fn a_sample_goes_to_whoever_listens_and_nobody_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sock");
        let refclock = Refclock::new(&path).unwrap();
        assert!(refclock.send(1, 1.0, Leap::None).is_err());
        let chronyd = UnixDatagram::bind(&path).unwrap();
        refclock.send(7_000_000_000, 250.0, Leap::None).unwrap();
        let mut octets = [0; 64];
        assert_eq!(chronyd.recv(&mut octets).unwrap(), LENGTH);
        assert_eq!(octets[..LENGTH], sample(7_000_000_000, 250.0, Leap::None));
    }
}
