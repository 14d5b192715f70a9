//! From measurements to decisions about the clock.

mod pi;

pub use pi::PiServo;

use ptp_common::time::Timestamp;

/// What to do with the clock. The driver applies it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision {
    /// Nothing.
    Hold,
    /// Set the clock by `-offset_ns` at once, then run at `frequency_ppb`.
    Step {
        /// Measured offset (client minus server) that the step removes, ns.
        offset_ns: i64,
        /// Frequency adjustment from then on, ppb; positive makes the clock faster.
        frequency_ppb: f64,
    },
    /// Run at `frequency_ppb`.
    Slew {
        /// Frequency adjustment, ppb; positive makes the clock faster.
        frequency_ppb: f64,
    },
}

/// One measurement of the local clock against the server in use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// When, in the server's time (t1): free of the scheduling noise of this machine.
    pub at: Timestamp,
    /// Local clock minus server's, ns.
    pub offset_ns: f64,
    /// How far apart measurements of an unchanged clock are at the moment, ns.
    pub noise_ns: f64,
}

/// A way to steer a clock.
pub trait Servo {
    /// What to do about a measurement.
    fn update(&mut self, measurement: Measurement) -> Decision;
    /// Another clock or timescale from here on: keep the frequency, forget the rest.
    fn restart(&mut self);
    /// The adjustment in force, ppb.
    fn frequency_ppb(&self) -> f64;
    /// The clock follows, and stays within the noise of the measurements.
    fn is_locked(&self) -> bool;
}

#[cfg(test)]
mod tests;
