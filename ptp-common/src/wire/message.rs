use super::body::Reserved;
use super::cursor::{Reader, Writer};
use super::header::Frame;
use super::{Body, EmitError, Header, ParseError, Tlv, TlvSet};

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The common header.
    pub header: Header,
    /// What kind of message, and its fields.
    pub body: Body,
    /// The TLVs behind the body.
    pub suffix: TlvSet<'a>,
    reserved: Reserved,
}

impl<'a> Message<'a> {
    /// A message without TLVs, reserved octets zero; controlField as in IEEE 1588-2008, table 23, whatever `header`
    /// says.
    pub const fn new(header: Header, body: Body) -> Self {
        let header = Header { control_field: body.message_type().control_field(), ..header };
        Self { header, body, suffix: TlvSet::EMPTY, reserved: Reserved([0; 2]) }
    }

    /// Octets behind messageLength (IPv6 padding) are ignored.
    pub fn parse(octets: &'a [u8]) -> Result<Self, ParseError> {
        let (frame, header) = Header::parse(&mut Reader::new(octets, ParseError::Truncated))?;
        let octets = Reader::new(octets, ParseError::LengthBeyondPacket).slice(frame.length.into())?;
        let mut reader = Reader::new(octets, ParseError::LengthTooShort);
        reader.slice(Header::LENGTH)?;
        let (body, reserved) = Body::parse(frame.message_type, &mut reader)?;
        Ok(Self { header, body, suffix: TlvSet::new(reader.rest())?, reserved })
    }

    /// Length of the message on the wire, in octets.
    pub fn buffer_len(&self) -> usize {
        Header::LENGTH + self.body.length() + self.suffix.as_bytes().len()
    }

    /// Writes the message to the start of `octets`; its length.
    pub fn emit(&self, octets: &mut [u8]) -> Result<usize, EmitError> {
        self.emit_with_tlvs(&[], octets)
    }

    /// Writes the message, and `tlvs` behind those of its suffix, to the start of `octets`; the length of all.
    pub fn emit_with_tlvs(&self, tlvs: &[Tlv<'_>], octets: &mut [u8]) -> Result<usize, EmitError> {
        let length = tlvs.iter().map(Tlv::buffer_len).fold(self.buffer_len(), usize::saturating_add);
        let frame = Frame {
            message_type: self.body.message_type(),
            length: u16::try_from(length).map_err(|_| EmitError::TooLong)?,
        };
        let mut writer = Writer::new(octets.get_mut(..length).ok_or(EmitError::BufferTooSmall)?);
        self.header.emit(&frame, &mut writer)?;
        self.body.emit(self.reserved, &mut writer)?;
        writer.put(self.suffix.as_bytes())?;
        for tlv in tlvs {
            tlv.write(&mut writer)?;
        }
        Ok(length)
    }
}
