//! PTP time: points ([`Timestamp`]), differences ([`Interval`]) and the wire's correction field ([`Correction`]).

mod correction;
mod interval;
mod stamp;
mod timestamp;

pub use correction::Correction;
pub use interval::Interval;
pub use stamp::{RawStamp, StampSource};
pub use timestamp::{NANOS_PER_SEC, Timestamp, TimestampError};

#[cfg(test)]
mod tests;
