use super::cursor::{Reader, Writer};
use super::path_trace::PATH_TRACE;
use super::{CancelUnicast, EmitError, GrantUnicast, ParseError, PathTrace, RequestUnicast, unicast};

/// tlvType and lengthField.
const HEAD: usize = 4;

/// The TLVs behind a body (14.1), raw: a whole number of TLVs of even length, those of unicast negotiation with the
/// length that their type has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlvSet<'a> {
    octets: &'a [u8],
}

impl<'a> TlvSet<'a> {
    /// No TLV.
    pub const EMPTY: Self = Self { octets: &[] };

    /// Checks `octets`. [`ParseError::TlvTruncated`], [`ParseError::TlvOddLength`], [`ParseError::UnicastTlvLength`].
    pub fn new(octets: &'a [u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(octets, ParseError::TlvTruncated);
        while !reader.rest().is_empty() {
            Tlv::read(&mut reader)?;
        }
        Ok(Self { octets })
    }

    /// As on the wire.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.octets
    }

    /// One by one, in the order of the wire.
    pub const fn iter(&self) -> Tlvs<'a> {
        Tlvs { octets: self.octets }
    }
}

impl<'a> IntoIterator for TlvSet<'a> {
    type Item = Tlv<'a>;
    type IntoIter = Tlvs<'a>;

    fn into_iter(self) -> Tlvs<'a> {
        self.iter()
    }
}

/// Iterator over a [`TlvSet`].
#[derive(Clone, Debug)]
pub struct Tlvs<'a> {
    octets: &'a [u8],
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Tlv<'a>;

    fn next(&mut self) -> Option<Tlv<'a>> {
        let mut reader = Reader::new(self.octets, ParseError::TlvTruncated);
        // The set was checked as a whole: this fails at its end only.
        let tlv = Tlv::read(&mut reader).ok()?;
        self.octets = reader.rest();
        Some(tlv)
    }
}

/// One TLV: those of unicast negotiation and PATH_TRACE by name, every other one by number.
///
/// This is what a TLV means: reserved bits of the four are not part of it, and are emitted as zero. The TLVs of a
/// parsed [`Message`](super::Message) are kept as they came nevertheless, in its suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tlv<'a> {
    /// REQUEST_UNICAST_TRANSMISSION.
    RequestUnicast(RequestUnicast),
    /// GRANT_UNICAST_TRANSMISSION.
    GrantUnicast(GrantUnicast),
    /// CANCEL_UNICAST_TRANSMISSION.
    CancelUnicast(CancelUnicast),
    /// ACKNOWLEDGE_CANCEL_UNICAST_TRANSMISSION.
    AcknowledgeCancelUnicast(CancelUnicast),
    /// PATH_TRACE.
    PathTrace(PathTrace<'a>),
    /// Any other TLV, to be skipped by those who do not know it. Also a TLV of unicast negotiation for a messageType
    /// that is not supported (peer delay, reserved): the TLVs beside it stay readable.
    Unknown {
        /// tlvType.
        tlv_type: u16,
        /// Even number of octets, at most 65534.
        value: &'a [u8],
    },
}

impl<'a> Tlv<'a> {
    /// Octets on the wire, type and length included.
    pub const fn buffer_len(&self) -> usize {
        match self {
            Self::RequestUnicast(_) => HEAD + unicast::REQUEST_LENGTH,
            Self::GrantUnicast(_) => HEAD + unicast::GRANT_LENGTH,
            Self::CancelUnicast(_) | Self::AcknowledgeCancelUnicast(_) => HEAD + unicast::CANCEL_LENGTH,
            Self::PathTrace(path) => HEAD.saturating_add(path.as_bytes().len()),
            Self::Unknown { value, .. } => HEAD.saturating_add(value.len()),
        }
    }

    /// Writes the TLV to the start of `octets`; its length.
    pub fn emit(&self, octets: &mut [u8]) -> Result<usize, EmitError> {
        self.write(&mut Writer::new(octets))?;
        Ok(self.buffer_len())
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EmitError> {
        match self {
            Self::RequestUnicast(tlv) => put(writer, unicast::REQUEST, &tlv.to_bytes()),
            Self::GrantUnicast(tlv) => put(writer, unicast::GRANT, &tlv.to_bytes()),
            Self::CancelUnicast(tlv) => put(writer, unicast::CANCEL, &tlv.to_bytes()),
            Self::AcknowledgeCancelUnicast(tlv) => put(writer, unicast::ACKNOWLEDGE_CANCEL, &tlv.to_bytes()),
            Self::PathTrace(path) => put(writer, PATH_TRACE, path.as_bytes()),
            Self::Unknown { tlv_type, value } => put(writer, *tlv_type, value),
        }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        let tlv_type = reader.u16()?;
        let length = reader.u16()?;
        if !length.is_multiple_of(2) {
            return Err(ParseError::TlvOddLength);
        }
        let value = reader.slice(length.into())?;
        let known = match tlv_type {
            unicast::REQUEST => RequestUnicast::from_bytes(exactly(value)?).map(Self::RequestUnicast),
            unicast::GRANT => GrantUnicast::from_bytes(exactly(value)?).map(Self::GrantUnicast),
            unicast::CANCEL => CancelUnicast::from_bytes(exactly(value)?).map(Self::CancelUnicast),
            unicast::ACKNOWLEDGE_CANCEL => {
                CancelUnicast::from_bytes(exactly(value)?).map(Self::AcknowledgeCancelUnicast)
            }
            PATH_TRACE => PathTrace::new(value).map(Self::PathTrace),
            _ => None,
        };
        Ok(known.unwrap_or(Self::Unknown { tlv_type, value }))
    }
}

fn exactly<const N: usize>(value: &[u8]) -> Result<[u8; N], ParseError> {
    value.try_into().map_err(|_| ParseError::UnicastTlvLength)
}

fn put(writer: &mut Writer<'_>, tlv_type: u16, value: &[u8]) -> Result<(), EmitError> {
    let length = u16::try_from(value.len()).map_err(|_| EmitError::TooLong)?;
    if !length.is_multiple_of(2) {
        return Err(EmitError::TlvOddLength);
    }
    writer.u16(tlv_type)?;
    writer.u16(length)?;
    writer.put(value)
}
