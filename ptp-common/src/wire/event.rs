//! Sync and Delay_Req (13.6): one body, the originTimestamp.

use super::cursor::{Reader, Writer};
use super::{Body, EmitError, Header, MessageType, ParseError, offset};
use crate::time::Timestamp;

pub(super) const LENGTH: usize = offset::TIMESTAMP_END - offset::BODY;

pub(super) fn parse_sync(reader: &mut Reader<'_>) -> Result<Body, ParseError> {
    Ok(Body::Sync { origin_timestamp: reader.timestamp()? })
}

pub(super) fn parse_delay_req(reader: &mut Reader<'_>) -> Result<Body, ParseError> {
    Ok(Body::DelayReq { origin_timestamp: reader.timestamp()? })
}

pub(super) fn emit(origin_timestamp: Timestamp, writer: &mut Writer<'_>) -> Result<(), EmitError> {
    writer.timestamp(origin_timestamp)
}

/// Writes the originTimestamp into an emitted Sync, Delay_Req or Announce, in place.
///
/// `octets` begin with the message. [`EmitError::NoOriginTimestamp`] if they are no such message,
/// [`EmitError::BufferTooSmall`] if they end before the field does; nothing is changed then.
pub fn set_origin_timestamp(octets: &mut [u8], origin_timestamp: Timestamp) -> Result<(), EmitError> {
    let first = octets.get(offset::MESSAGE_TYPE).ok_or(EmitError::BufferTooSmall)?;
    match MessageType::from_nibble(first & 0xf) {
        Some(MessageType::Sync | MessageType::DelayReq | MessageType::Announce) => {}
        _ => return Err(EmitError::NoOriginTimestamp),
    }
    let field = octets.get_mut(Header::LENGTH..Header::LENGTH + LENGTH).ok_or(EmitError::BufferTooSmall)?;
    Writer::new(field).timestamp(origin_timestamp)
}
