use super::cursor::{Reader, Writer};
use super::{EmitError, Flags, MessageType, ParseError, PortIdentity, VERSION_PTP};
use crate::time::Correction;

/// The common header (13.3) without what follows from the body: messageType, versionPTP, messageLength.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// majorSdoId and minorSdoId: 12 bits.
    pub sdo_id: u16,
    /// minorVersionPTP: 4 bits, 0 (2008) or 1 (2019); others are kept.
    pub minor_version: u8,
    /// domainNumber.
    pub domain_number: u8,
    /// flagField.
    pub flags: Flags,
    /// correctionField.
    pub correction_field: Correction,
    /// messageTypeSpecific.
    pub message_type_specific: u32,
    /// sourcePortIdentity.
    pub source_port_identity: PortIdentity,
    /// sequenceId.
    pub sequence_id: u16,
    /// Kept as received so that emit is exact; [`Message::new`](super::Message::new) fills in the 1588-2008 value.
    pub control_field: u8,
    /// logMessageInterval, log2 of seconds; 0x7f where it does not apply.
    pub log_message_interval: i8,
}

/// The header's fields that [`Header`] leaves out.
pub(super) struct Frame {
    pub(super) message_type: MessageType,
    /// messageLength.
    pub(super) length: u16,
}

impl Header {
    /// Octets on the wire.
    pub(super) const LENGTH: usize = super::offset::BODY;

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<(Frame, Self), ParseError> {
        // As a whole: a piece of a header is too short, whatever its octets say.
        let mut reader = Reader::new(reader.slice(Self::LENGTH)?, ParseError::Truncated);
        let first = reader.u8()?;
        let version = reader.u8()?;
        if version & 0xf != VERSION_PTP {
            return Err(ParseError::UnsupportedVersion);
        }
        let message_type = MessageType::from_nibble(first & 0xf).ok_or(ParseError::UnsupportedMessageType)?;
        let length = reader.u16()?;
        let domain_number = reader.u8()?;
        let minor_sdo_id = reader.u8()?;
        let header = Self {
            sdo_id: (u16::from(first & 0xf0) << 4) | u16::from(minor_sdo_id),
            minor_version: version >> 4,
            domain_number,
            flags: Flags(reader.u16()?),
            correction_field: Correction::from_scaled(reader.i64()?),
            message_type_specific: reader.u32()?,
            source_port_identity: reader.port_identity()?,
            sequence_id: reader.u16()?,
            control_field: reader.u8()?,
            log_message_interval: reader.i8()?,
        };
        Ok((Frame { message_type, length }, header))
    }

    pub(super) fn emit(&self, frame: &Frame, writer: &mut Writer<'_>) -> Result<(), EmitError> {
        let [major_sdo_id, minor_sdo_id] = self.sdo_id.to_be_bytes();
        if major_sdo_id > 0xf || self.minor_version > 0xf {
            return Err(EmitError::OutOfRange);
        }
        writer.u8((major_sdo_id << 4) | frame.message_type.nibble())?;
        writer.u8((self.minor_version << 4) | VERSION_PTP)?;
        writer.u16(frame.length)?;
        writer.u8(self.domain_number)?;
        writer.u8(minor_sdo_id)?;
        writer.u16(self.flags.0)?;
        writer.put(&self.correction_field.scaled().to_be_bytes())?;
        writer.u32(self.message_type_specific)?;
        writer.port_identity(self.source_port_identity)?;
        writer.u16(self.sequence_id)?;
        writer.u8(self.control_field)?;
        writer.put(&self.log_message_interval.to_be_bytes())
    }
}
