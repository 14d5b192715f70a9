//! Announce (13.5).

use super::body::Reserved;
use super::cursor::{Reader, Writer};
use super::{ClockIdentity, EmitError, ParseError};
use crate::time::Timestamp;

/// clockQuality (5.3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockQuality {
    /// clockClass (7.6.2.5), smaller is better.
    pub clock_class: u8,
    /// clockAccuracy (7.6.2.6); 0xfe = unknown.
    pub clock_accuracy: u8,
    /// offsetScaledLogVariance (7.6.3.5); 0xffff = unknown.
    pub offset_scaled_log_variance: u16,
}

impl ClockQuality {
    /// clockClass of a clock that says nothing else of itself (table 4).
    pub const DEFAULT_CLASS: u8 = 248;

    /// clockAccuracy as ns, rounded up (table 5): no further is the clock from the true time; `None` where it does not say.
    pub const fn accuracy_ns(&self) -> Option<u64> {
        const US: u64 = 1_000;
        const MS: u64 = 1_000_000;
        const S: u64 = 1_000_000_000;
        Some(match self.clock_accuracy {
            // 1 ps to 1 ns.
            0x17..=0x1d => 1,
            0x1e => 3,
            0x1f => 10,
            0x20 => 25,
            0x21 => 100,
            0x22 => 250,
            0x23 => US,
            0x24 => 2_500,
            0x25 => 10 * US,
            0x26 => 25 * US,
            0x27 => 100 * US,
            0x28 => 250 * US,
            0x29 => MS,
            0x2a => 2_500 * US,
            0x2b => 10 * MS,
            0x2c => 25 * MS,
            0x2d => 100 * MS,
            0x2e => 250 * MS,
            0x2f => S,
            0x30 => 10 * S,
            // More than 10 s; reserved; unknown.
            _ => return None,
        })
    }
}

/// The body of an Announce. The flags that belong to it are in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// originTimestamp: approximate, or zero.
    pub origin_timestamp: Timestamp,
    /// currentUtcOffset: TAI - UTC in seconds, where the header's flag says that it is valid.
    pub current_utc_offset: i16,
    /// grandmasterPriority1, smaller is better.
    pub grandmaster_priority1: u8,
    /// grandmasterClockQuality.
    pub grandmaster_clock_quality: ClockQuality,
    /// grandmasterPriority2, smaller is better.
    pub grandmaster_priority2: u8,
    /// grandmasterIdentity.
    pub grandmaster_identity: ClockIdentity,
    /// stepsRemoved: boundary clocks between the grandmaster and the sender.
    pub steps_removed: u16,
    /// timeSource (7.6.2.8).
    pub time_source: u8,
}

pub(super) const LENGTH: usize = 30;

pub(super) fn parse(reader: &mut Reader<'_>) -> Result<(Announce, Reserved), ParseError> {
    let origin_timestamp = reader.timestamp()?;
    let current_utc_offset = reader.i16()?;
    let reserved = reader.u8()?;
    let announce = Announce {
        origin_timestamp,
        current_utc_offset,
        grandmaster_priority1: reader.u8()?,
        grandmaster_clock_quality: ClockQuality {
            clock_class: reader.u8()?,
            clock_accuracy: reader.u8()?,
            offset_scaled_log_variance: reader.u16()?,
        },
        grandmaster_priority2: reader.u8()?,
        grandmaster_identity: reader.clock_identity()?,
        steps_removed: reader.u16()?,
        time_source: reader.u8()?,
    };
    Ok((announce, Reserved([reserved, 0])))
}

pub(super) fn emit(
    announce: &Announce,
    Reserved([reserved, _]): Reserved,
    writer: &mut Writer<'_>,
) -> Result<(), EmitError> {
    writer.timestamp(announce.origin_timestamp)?;
    writer.put(&announce.current_utc_offset.to_be_bytes())?;
    writer.u8(reserved)?;
    writer.u8(announce.grandmaster_priority1)?;
    writer.u8(announce.grandmaster_clock_quality.clock_class)?;
    writer.u8(announce.grandmaster_clock_quality.clock_accuracy)?;
    writer.u16(announce.grandmaster_clock_quality.offset_scaled_log_variance)?;
    writer.u8(announce.grandmaster_priority2)?;
    writer.put(&announce.grandmaster_identity.0)?;
    writer.u16(announce.steps_removed)?;
    writer.u8(announce.time_source)
}
