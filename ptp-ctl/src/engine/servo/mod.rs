//! From measurements to decisions about the clock.

mod adaptive;
mod pi;

pub use adaptive::AdaptiveServo;
pub use pi::PiServo;

use super::config::{ServoConfig, ServoKind};
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
    /// The middle of the exchange, half way from t1 to t4, which the offset is true of. In the server's time, so that
    /// it is free of the scheduling noise of this machine.
    pub at: Timestamp,
    /// The end of the exchange (t4): now, as nearly as the server's time is known.
    pub end: Timestamp,
    /// Local clock minus server's, ns.
    pub offset_ns: f64,
    /// Mean path delay of the exchange, ns.
    pub delay_ns: f64,
}

/// What is known of the local clock now, from all packets of the server in use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tracking {
    /// Now, s, of any epoch; where it goes back, the estimate is another estimator's.
    pub at: f64,
    /// Local clock minus server's, ns.
    pub offset_ns: f64,
    /// 99 % bound of it, ns.
    pub bound_ns: f64,
    /// How much faster than the server's the clock would run at the adjustment that it had at start, ppb.
    pub frequency_ppb: f64,
    /// 99 % bound of it, ppb.
    pub frequency_bound_ppb: f64,
}

/// A way to steer a clock: by single exchanges, or by an estimate made of all packets.
pub trait Servo {
    /// What to do about an exchange; `None` where single exchanges are not used.
    fn exchange(&mut self, _measurement: Measurement) -> Option<Decision> {
        None
    }
    /// What to do about an estimate; `None` where estimates are not used.
    fn estimate(&mut self, _tracking: Tracking) -> Option<Decision> {
        None
    }
    /// What to do when no server can be followed.
    fn hold(&mut self) -> Decision {
        Decision::Hold
    }
    /// Another clock or timescale from here on: keep the frequency, forget the rest.
    fn restart(&mut self);
    /// The adjustment in force, ppb.
    fn frequency_ppb(&self) -> f64;
    /// How much faster than the server the clock runs now, as far as the servo knows, ppb.
    fn rate_error_ppb(&self) -> f64;
    /// The clock follows, and stays within the noise of the measurements.
    fn is_locked(&self) -> bool;
}

/// The servo that is wanted.
pub fn new(config: ServoConfig) -> Box<dyn Servo + Send> {
    match config.kind {
        ServoKind::Adaptive => Box::new(AdaptiveServo::new(config)),
        ServoKind::Pi { hardware_stamps } => Box::new(PiServo::new(config, hardware_stamps)),
    }
}

#[cfg(test)]
mod tests;
