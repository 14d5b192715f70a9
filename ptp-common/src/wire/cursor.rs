//! The one place where octets are read and written, and bounds are checked.

use super::{ClockIdentity, EmitError, ParseError, PortIdentity};
use crate::time::Timestamp;

/// Reads from the front of a slice. Running out of octets is the error that the caller named.
pub(super) struct Reader<'a> {
    octets: &'a [u8],
    short: ParseError,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(octets: &'a [u8], short: ParseError) -> Self {
        Self { octets, short }
    }

    /// What was not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.octets
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let (head, rest) = self.octets.split_first_chunk().ok_or(self.short)?;
        self.octets = rest;
        Ok(*head)
    }

    pub(super) fn slice(&mut self, length: usize) -> Result<&'a [u8], ParseError> {
        let (head, rest) = self.octets.split_at_checked(length).ok_or(self.short)?;
        self.octets = rest;
        Ok(head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, ParseError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn i8(&mut self) -> Result<i8, ParseError> {
        self.array().map(i8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, ParseError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, ParseError> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ParseError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, ParseError> {
        self.array().map(i64::from_be_bytes)
    }

    /// 48-bit seconds, 32-bit nanoseconds (5.3.3).
    pub(super) fn timestamp(&mut self) -> Result<Timestamp, ParseError> {
        let seconds = (u64::from(self.u16()?) << 32) | u64::from(self.u32()?);
        Timestamp::new(seconds, self.u32()?).map_err(|_| ParseError::TimestampOutOfRange)
    }

    pub(super) fn clock_identity(&mut self) -> Result<ClockIdentity, ParseError> {
        self.array().map(ClockIdentity)
    }

    pub(super) fn port_identity(&mut self) -> Result<PortIdentity, ParseError> {
        self.array().map(PortIdentity::from_bytes)
    }
}

/// Writes to the front of a slice.
pub(super) struct Writer<'a> {
    octets: &'a mut [u8],
}

impl<'a> Writer<'a> {
    pub(super) const fn new(octets: &'a mut [u8]) -> Self {
        Self { octets }
    }

    pub(super) fn put(&mut self, source: &[u8]) -> Result<(), EmitError> {
        let (head, rest) = core::mem::take(&mut self.octets)
            .split_at_mut_checked(source.len())
            .ok_or(EmitError::BufferTooSmall)?;
        head.copy_from_slice(source);
        self.octets = rest;
        Ok(())
    }

    pub(super) fn u8(&mut self, value: u8) -> Result<(), EmitError> {
        self.put(&[value])
    }

    pub(super) fn u16(&mut self, value: u16) -> Result<(), EmitError> {
        self.put(&value.to_be_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> Result<(), EmitError> {
        self.put(&value.to_be_bytes())
    }

    /// 48-bit seconds, 32-bit nanoseconds (5.3.3).
    pub(super) fn timestamp(&mut self, value: Timestamp) -> Result<(), EmitError> {
        let [_, _, seconds @ ..] = value.seconds().to_be_bytes();
        self.put(&seconds)?;
        self.u32(value.nanoseconds())
    }

    pub(super) fn port_identity(&mut self, value: PortIdentity) -> Result<(), EmitError> {
        self.put(&value.to_bytes())
    }
}
