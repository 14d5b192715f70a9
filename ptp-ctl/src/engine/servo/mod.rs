//! From samples to decisions about the clock.

use std::time::Duration;

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
    /// Local clock minus server's, ns.
    pub offset_ns: f64,
    /// Mean path delay of the exchange, ns.
    pub delay_ns: f64,
    /// Monotonic time since the measurement before.
    pub elapsed: Duration,
}
